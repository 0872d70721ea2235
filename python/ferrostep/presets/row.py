"""What another library calls an optimizer, as data, and what its arguments mean here.

Adapters read it too: `Row.options` turns a library's arguments into options of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ferrostep.optimizer import Optimizer
from ferrostep.options import Number
from ferrostep.schema import REQUIRED
from ferrostep.spellings import hint, meant


class Computed(NamedTuple):
    """An option of ours that follows from arguments: how, in words and as a function of them."""

    text: str
    value: Callable[[Mapping[str, Any]], Any]


#: Why some libraries' RMSprop has momentum here only by a word of the user's own.
RATE_INSIDE = (
    "its buffer would hold the learning rate, and ours does not: momentum of ferrostep.RMSprop is "
    "the same as long as the rate stays"
)

#: Where an option of ours comes from: an argument, or several that are one tuple here, or more.
Source = str | tuple[str, str] | tuple[str, str, str] | Computed


class Refused(NamedTuple):
    """An argument that no option of ours stands for, but at one value: its default, or `only`."""

    remedy: str
    only: Any = REQUIRED


@dataclass(frozen=True)
class Library:
    """What all optimizers of a library have in common."""

    title: str
    module: str
    _: KW_ONLY
    #: Ours from theirs, where the names differ.
    named: Mapping[str, Source]
    #: Arguments that every one takes, by name alone, with their defaults.
    common: Mapping[str, Any] = field(default_factory=dict)
    #: Those that mean nothing for the numbers.
    ignored: frozenset[str] = frozenset()
    #: Also those of what stands around an optimizer, which does not take them itself.
    refused: Mapping[str, Refused] = field(default_factory=dict)
    #: Whether parameters are the first argument.
    params_first: bool = False
    #: Whether arguments go by name alone.
    by_name: bool = False


@dataclass(frozen=True)
class Row:
    """An optimizer of a library: its arguments, and the class and options that have its numbers."""

    library: Library
    name: str
    cls: type[Optimizer]
    #: Its own arguments in their order, each with its default or `REQUIRED`.
    defaults: Mapping[str, Any]
    _: KW_ONLY
    #: Options of ours that make its convention.
    fixed: Mapping[str, Any] = field(default_factory=dict)
    #: As the library's, for this one alone.
    named: Mapping[str, Source] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    #: What else there is to know, for the docstring.
    note: str = ""

    @property
    def title(self) -> str:
        return f"presets.{self.library.module}.{self.name}"

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments with their defaults."""
        return {**self.defaults, **self.common}

    @property
    def common(self) -> dict[str, Any]:
        """Those of the library that are not among its own."""
        return {n: d for n, d in self.library.common.items() if n not in self.defaults}

    @property
    def remedies(self) -> dict[str, Refused]:
        return {**self.library.refused, **self.refused}

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Where each of our options comes from, whatever it is called."""
        known, fields = self.arguments, self.cls._schema().fields
        named = {
            ours: source
            for ours, source in {**self.library.named, **self.named}.items()
            if ours in fields and known.keys() >= set(names_of(source))
        }
        told = {*named, *(name for source in named.values() for name in names_of(source))}
        others = known.keys() - told - self.library.ignored - self.remedies.keys()
        return {**named, **{name: name for name in known if name in others}}

    def only(self, name: str) -> Any:
        """Return the one value that a refused argument may have."""
        told = self.remedies[name].only
        return self.arguments.get(name) if told is REQUIRED else told

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return our options for a library's arguments; what `given` leaves out has its default.

        Raises
        ------
        TypeError
            If there is no such argument, or one is missing that has no default; if the learning
            rate is no number.
        ValueError
            If an argument is out of bounds, or asks for what no option of ours does; the error says
            what does.
        """
        values = {**self.arguments, **given}
        for name in {**given, **values}:  # what is wrong with those first
            self.check(name, values[name])
        return {**self.fixed, **{o: self._value(o, s, values) for o, s in self.sources.items()}}

    def check(self, name: str, value: Any) -> None:
        """Refuse an argument that is unknown, or missing, or what no option of ours does."""
        if name in self.remedies:
            wanted, plain = (
                self.only(name),
                isinstance(value, str | int | float | tuple | np.generic),
            )
            if value is not wanted and not (plain and value == wanted):
                remedy = self.remedies[name].remedy
                raise ValueError(f"{name} must be {wanted!r}, found {value!r}; {remedy}")
        elif name not in self.arguments:
            raise TypeError(f"{self.title}() takes no argument {name!r}{self._meant(name)}")
        elif value is REQUIRED:
            raise TypeError(f"{self.title}() has no default for {name}; give it")
        elif name == self.sources.get("lr") and callable(value):
            raise TypeError(
                f"{name} must be a number, found {type(value).__name__}; schedules are classes of "
                f"ferrostep.schedulers, made with the optimizer and its first rate"
            )
        elif name == self.sources.get("lr") and (
            isinstance(value, list | tuple | dict) or np.ndim(value)
        ):
            raise TypeError(
                f"{name} must be a number, found {type(value).__name__}; give parameters as "
                f"params=..."
            )

    def _value(self, ours: str, source: Source, values: Mapping[str, Any]) -> Any:
        """Return an option, checked: an error calls it what they call it."""
        if isinstance(source, Computed):
            return source.value(values)
        check = self.cls._schema().checks[ours]
        if isinstance(source, tuple):
            return check(" and ".join(source), tuple(values[name] for name in source))
        absent = values[source] is None and self.arguments[source] is None
        if absent:  # their word for no decay, no momentum, or what is meant without a word
            own = self.cls._schema().defaults[ours]
            return 0.0 if isinstance(check, Number) else own
        return check(source, values[source])

    def _meant(self, name: str) -> str:
        """Return the end of an error: what an unknown name is called in this library."""
        ours = [name, *meant(name, self.cls._schema().fields)]
        found = [theirs for one in ours for theirs in names_of(self.sources.get(one, one))]
        known = [theirs for theirs in found if theirs in self.arguments]
        if not known:
            return hint(name, self.arguments)
        return f"; did you mean {' and '.join(map(repr, known))}?"


def by_name(*rows: Row) -> Mapping[str, Row]:
    return {row.name: row for row in rows}


def names_of(source: Source) -> tuple[str, ...]:
    """Return the arguments that an option is, as it is; what is computed reads any of them."""
    if isinstance(source, Computed):
        return ()
    return (source,) if isinstance(source, str) else source
