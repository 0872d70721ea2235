"""Functions made of rows: they take a library's arguments and return our optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature
from re import findall
from textwrap import fill
from typing import Any, TypedDict

from ferrostep.optimizer import Optimizer
from ferrostep.presets.row import Computed, Row, names_of
from ferrostep.schema import REQUIRED
from ferrostep.typing import Backend, Missing, NonFinite, StateDtype, StateFactory


class Ours(TypedDict, total=False):
    """What every class of ours has and no library: arguments of all functions, by name."""

    flush_subnormals: bool
    state_dtype: StateDtype
    nonfinite: NonFinite
    backend: Backend | None
    state_factory: StateFactory | None
    missing: Missing


def functions(rows: Mapping[str, Row], module: str) -> dict[str, Callable[..., Optimizer]]:
    """Return a function for each row, as if it were written in their module."""
    return {name: _function(row, module) for name, row in rows.items()}


def _function(row: Row, module: str) -> Callable[..., Optimizer]:
    signature = _signature(row)
    ours = ("params", *_ours(row))

    def preset(*args: Any, **kwargs: Any) -> Optimizer:
        for name in kwargs.keys() - signature.parameters.keys():
            row.check(name, kwargs[name])  # says what it is called here, or what to do instead
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{row.title}(): {error}") from None
        own = {name: given.pop(name) for name in ours if name in given}
        return row.cls(**row.options(given), **own)

    preset.__name__ = preset.__qualname__ = row.name
    preset.__module__, preset.__doc__ = module, "\n".join(map(_wrapped, _doc(row)))
    preset.__signature__ = signature  # type: ignore[attr-defined]
    return preset


def _signature(row: Row) -> Signature:
    alone, named = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
    first = row.library.params_first
    params = Parameter("params", alone if first else named, default=None)
    kind = named if row.library.by_name else alone
    own = [Parameter(name, kind, default=value) for name, value in row.defaults.items()]
    common = [Parameter(name, named, default=value) for name, value in row.common.items()]
    ours = [Parameter(name, named, default=value) for name, value in _ours(row).items()]
    every = [params, *own] if first else [*own, params]
    return Signature([*every, *common, *ours], return_annotation=row.cls)


def _ours(row: Row) -> dict[str, Any]:
    """Return the options that no library has, with their defaults, but for those that it sets."""
    defaults = row.cls._schema().defaults
    return {n: defaults[n] for n in Ours.__annotations__ if n not in row.sources}


def call(row: Row) -> str:
    """Return our class with the options that differ from its own by default."""
    told = {name: repr(value) for name, value in row.fixed.items()}
    for ours, source in row.sources.items():
        if isinstance(source, Computed):
            told[ours] = source.text
        elif isinstance(source, tuple):
            told[ours] = f"({', '.join(_default(row, name) for name in source)})"
        elif (ours, row.arguments[source]) != ("lr", REQUIRED):  # which every example has
            told[ours] = _default(row, source)
    own = {name: repr(value) for name, value in row.cls._schema().defaults.items()}
    kept = [f"{n}={told[n]}" for n in own if n in told and told[n] not in (own[n], n, "None")]
    return f"{row.cls.__name__}({', '.join(kept)})"


def _default(row: Row, name: str) -> str:
    value = row.arguments[name]
    return name if value is REQUIRED else repr(value)


def _doc(row: Row) -> Iterator[str]:
    yield f"{row.library.title} `{row.name}`: our `{row.cls.__name__}` with its numbers."
    yield from ("", f"By default ``{call(row)}``.", "")
    if row.note:
        yield from (row.note, "")
    yield from ("Parameters", "----------")
    for name, default in row.arguments.items():
        told = "" if default is REQUIRED else f" Default {default!r}."
        yield from (name, f"    {_meaning(row, name)}{told}")
    yield from (f"params, {', '.join(_ours(row))}", "    As in every class: see `Optimizer`.")
    yield from ("", "Returns", "-------", row.cls.__name__)
    yield "    Its docstring has the formula, the state and the bounds of options."
    yield from ("", "Raises", "------", "TypeError, ValueError")
    yield "    For arguments that it does not have, and for what would be another formula."
    shape = "(2, 3)" if row.cls.MATRICES else 3
    yield from ("", "Examples", "--------", ">>> import numpy as np, ferrostep as fs")
    yield f">>> opt = fs.{row.title}({', '.join(_least(row))})"
    gradient = "fs.Rows([0], np.ones(1))" if row.cls.ROWS_ONLY else f"np.ones({shape})"
    yield f">>> p = opt.updated(np.ones({shape}), {gradient})"
    yield from (">>> type(opt).__name__", repr(row.cls.__name__))


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return line if line.startswith(">>>") else fill(line, 88, subsequent_indent=indent)


def _meaning(row: Row, name: str) -> str:
    if name in row.library.ignored:
        return "Means nothing for the numbers."
    if name in row.remedies:
        return f"Must be {row.only(name)!r}; {row.remedies[name].remedy}."
    told = [f"`{ours}`" for ours, source in row.sources.items() if name in names_of(source)]
    told += [
        f"``{ours}={source.text}``"
        for ours, source in row.sources.items()
        if isinstance(source, Computed) and name in findall(r"\w+", source.text)
    ]
    return f"Our {' and '.join(told)}."


def _least(row: Row) -> Iterator[str]:
    """Yield the arguments that have to be given, as an example would."""
    for name, default in row.arguments.items():
        if name in row.remedies and row.only(name) != default:
            yield f"{name}={row.only(name)!r}"
        elif default is REQUIRED:
            yield f"{name}=0.1"
