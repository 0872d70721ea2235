"""What `repr` and notebooks show of an optimizer; one of hundreds of parameters stays short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from math import prod
from reprlib import Repr
from typing import Any

from ferrostep.persistent import Persistent

#: How many parameters, and groups of a notebook's table, are shown at the beginning and the end.
FIRST, LAST = 4, 2

#: Values may be the user's: of any length, or with a `repr` that fails.
_short = Repr()
_short.maxother = _short.maxstring = 60


def show(optimizer: Persistent) -> str:
    """Return what an optimizer is: class, options, parameters, state."""
    shown = type(optimizer).__name__
    try:
        groups = list(optimizer.param_groups)
        shown = _named(optimizer, groups)
        lines = [_total(optimizer, groups)]
        for label, *facts in _contents(optimizer, groups):
            lines.append(f"  {label}: {', '.join(facts)}" if facts else f"  {label}")
        return f"{shown}: " + "\n".join(lines)
    except Exception as error:  # it was never made, its groups were edited, it is within a step
        return f"{shown}: {error}"


def show_html(optimizer: Persistent) -> str:
    """Return the same for a notebook: a table of its groups, and one of its parameters."""
    from ferrostep.markup import folded, preformatted, table

    try:
        groups = list(optimizer.param_groups)
        head = ["group", "parameters", "elements", "dtypes", "steps", "bytes of state", "options"]
        shown = table(head, _summaries(optimizer, groups), _named(optimizer, groups))
        head = ["parameter", "dtype and shape", "step", "state"]
        inside = table(head, _contents(optimizer, groups))
        return f"{shown}\n{folded(_total(optimizer, groups), inside)}"
    except Exception:  # of which `repr` says what it is
        return preformatted(repr(optimizer))


def span(numbers: Iterable[int]) -> str:
    """Return the least and the greatest; one if they are the same."""
    known = set(numbers)
    return " to ".join(map(str, sorted({min(known), max(known)}))) if known else "-"


def _named(optimizer: Persistent, groups: list[dict[str, Any]]) -> str:
    alone = groups[0] if len(groups) == 1 else {}
    settings = optimizer._settings._asdict()
    del settings["reference"]  # which follows from the backend
    told = _told({**alone, **settings}, optimizer._schema().defaults)
    return f"{type(optimizer).__name__}({told})"


def _total(optimizer: Persistent, groups: list[dict[str, Any]]) -> str:
    skipped = f", {_count(optimizer._skipped, 'step')} skipped" if optimizer._skipped else ""
    several = f" in {len(groups)} groups" if len(groups) > 1 else ""
    size = _count(_size(optimizer._states(False)), "byte")
    return f"{_count(len(optimizer._layouts()), 'parameter')}{several}, {size} of state{skipped}"


def _summaries(optimizer: Persistent, groups: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Tell of each group in a row."""
    layouts, states = optimizer._layouts(), optimizer._states(False)
    middle = range(FIRST, len(groups) - LAST)
    sizes = optimizer._group_sizes() or [0] * len(groups)  # an unbound one has options already
    for i, (start, end) in enumerate(pairwise(accumulate(sizes, initial=0))):
        if i not in middle:
            own, held = layouts[start:end], states[start:end]
            yield (
                str(i),
                str(len(own)),
                str(sum(prod(shape) for shape, _ in own)),
                ", ".join(dict.fromkeys(dtype for _, dtype in own)) or "-",
                span(state["step"] if state else 0 for state in held),
                str(_size(held)),
                _told(groups[i], {}),
            )
        elif i == middle[0]:
            yield (f"... {len(middle)} more ...",)


def _contents(optimizer: Persistent, groups: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Tell of parameters, and of their groups if there are several: what it is, then facts."""
    several = len(groups) > 1
    sizes, layouts = optimizer._group_sizes(), optimizer._layouts()
    states = optimizer._states(False)
    if not optimizer._bound and not layouts:
        waiting = _count(len(optimizer.state), "parameter")
        loaded = f"state was loaded for {waiting}; " if optimizer.state else ""
        yield "unbound", f"{loaded}parameters come with update(params, grads)"
    elif (pending := optimizer._pending) is not None:
        waiting = _count(len(pending.params), "parameter")
        yield (f"state was loaded for {waiting} more, to come with update_one(key, param, grad)",)
    names = optimizer._names or range(len(layouts))
    middle = range(FIRST, len(layouts) - LAST)
    for i, (start, end) in enumerate(pairwise(accumulate(sizes, initial=0))):
        if several and not (start in middle and end - 1 in middle):
            yield f"group {i}", _told(groups[i], optimizer._schema().defaults)
        for place in range(start, end):
            if place not in middle:
                yield _short.repr(names[place]), *_parameter(layouts[place], states[place])
            elif place == middle[0]:
                yield (f"... {len(middle)} more ...",)


def _parameter(
    layout: tuple[tuple[int, ...], str], state: Mapping[str, Any] | None
) -> Iterator[str]:
    shape, dtype = layout
    yield f"{dtype} {shape}"
    if state:
        yield f"step {state['step']}"
        yield f"{_count(_size([state]), 'byte')} of state"
    else:
        yield "no step yet"


def _told(held: Mapping[Any, Any], defaults: Mapping[str, Any]) -> str:
    """Return the learning rate and what is not the default."""
    texts = []
    for key, value in list(held.items()):
        if key in ("params", "param_names"):
            continue
        shown = _short.repr(value)
        if key == "lr" or key not in defaults or shown != _short.repr(defaults[key]):
            texts.append(f"{key}={shown}" if isinstance(key, str) else f"{key!r}: {shown}")
    return ", ".join(texts)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _size(states: Iterable[Mapping[str, Any] | None]) -> int:
    arrays = (array for state in states if state for array in state.values())
    return sum(getattr(array, "nbytes", 0) for array in arrays)
