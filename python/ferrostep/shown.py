"""What `repr` shows of an optimizer; one of hundreds of parameters stays short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from reprlib import Repr
from typing import Any

from ferrostep.persistent import Persistent

#: How many parameters are shown at the beginning and at the end.
FIRST, LAST = 4, 2

#: Values may be the user's: of any length, or with a `repr` that fails.
_short = Repr()
_short.maxother = _short.maxstring = 60


def show(optimizer: Persistent) -> str:
    """Return what an optimizer is: class, options, parameters, state."""
    shown = type(optimizer).__name__
    try:
        groups = list(optimizer.param_groups)
        alone = groups[0] if len(groups) == 1 else {}
        settings = optimizer._settings._asdict()
        del settings["reference"]  # which follows from the backend
        shown += f"({_told({**alone, **settings}, optimizer._schema().defaults)})"
        return f"{shown}: " + "\n".join(_contents(optimizer, groups))
    except Exception as error:  # it was never made, its groups were edited, it is within a step
        return f"{shown}: {error}"


def _contents(optimizer: Persistent, groups: list[dict[str, Any]]) -> Iterator[str]:
    several = len(groups) > 1
    sizes, layouts = optimizer._group_sizes(), optimizer._layouts()
    states = optimizer._states(False)
    skipped = f", {_count(optimizer._skipped, 'step')} skipped" if optimizer._skipped else ""
    yield (
        f"{_count(len(layouts), 'parameter')}{f' in {len(groups)} groups' if several else ''}, "
        f"{_bytes(*states)} of state{skipped}"
    )
    if not optimizer._bound and not layouts:
        waiting = _count(len(optimizer.state), "parameter")
        loaded = f" state was loaded for {waiting};" if optimizer.state else ""
        yield f"  unbound:{loaded} parameters come with update(params, grads)"
    elif (pending := optimizer._pending) is not None:
        waiting = _count(len(pending.params), "parameter")
        yield f"  state was loaded for {waiting} more, to come with update_one(key, param, grad)"
    names = optimizer._names or range(len(layouts))
    middle = range(FIRST, len(layouts) - LAST)
    for i, (start, end) in enumerate(pairwise(accumulate(sizes, initial=0))):
        if several and not (start in middle and end - 1 in middle):
            yield f"  group {i}: {_told(groups[i], optimizer._schema().defaults)}"
        for place in range(start, end):
            if place not in middle:
                label = _short.repr(names[place])
                yield f"  {label}: {_parameter(layouts[place], states[place])}"
            elif place == middle[0]:
                yield f"  ... {len(middle)} more ..."


def _parameter(layout: tuple[tuple[int, ...], str], state: Mapping[str, Any] | None) -> str:
    shape, dtype = layout
    stepped = f"step {state['step']}, {_bytes(state)} of state" if state else "no step yet"
    return f"{dtype} {shape}, {stepped}"


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


def _bytes(*states: Mapping[str, Any] | None) -> str:
    arrays = (array for state in states if state for array in state.values())
    return _count(sum(getattr(array, "nbytes", 0) for array in arrays), "byte")
