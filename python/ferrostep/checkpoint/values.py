"""Python values as JSON that gives them back exactly.

JSON's own types are themselves. What it lacks is an object with one key that begins with "$":
``$tuple``, ``$float`` ("inf", "-inf", "nan"), ``$dict`` and ``$counter`` (pairs of key and value),
``$array`` (the name of a tensor).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: How deep containers may lie in each other: any CPython reads that back, whoever calls.
MAX_DEPTH = 100
#: The longest integer that CPython reads unless it is told otherwise.
MAX_DIGITS = 4300


def encode(value: Any, what: str, store: Callable[[Array], str] | None = None) -> Any:
    """Return `value` as JSON; `store` takes an array and returns the name that it is saved by."""

    def inner(part: Any, label: str, depth: int) -> Any:
        if isinstance(part, np.ndarray) and store is not None:
            return {"$array": store(part)}
        if isinstance(part, np.bool | np.integer | np.floating) and part.dtype != np.longdouble:
            part = part.item()
        kind = type(part)
        if kind is int and part.bit_length() >= MAX_DIGITS * math.log2(10):
            raise ValueError(f"{label} must have at most {MAX_DIGITS} digits, found more")
        if part is None or kind in (bool, int, str):
            return part
        if kind is float:
            return part if math.isfinite(part) else {"$float": repr(part)}
        if kind not in (list, tuple, dict, Counter):
            wanted = "number, str, None, list, tuple or dict"
            wanted = f"a {wanted}" if store is None else f"an array, {wanted}"
            raise TypeError(f"{label} must be {wanted}, found {kind.__name__}")
        depth = _deeper(depth, what)
        if kind in (list, tuple):
            items = [inner(item, f"{label}[{i}]", depth) for i, item in enumerate(part)]
            return items if kind is list else {"$tuple": items}
        plain = kind is dict and all(type(k) is str and not k.startswith("$") for k in part)
        pairs = [(inner(k, f"a key of {label}", depth), inner(v, f"{label}[{k!r}]", depth))
                 for k, v in part.items()]  # fmt: skip
        return dict(pairs) if plain else {"$dict" if kind is dict else "$counter": pairs}

    return inner(value, what, 0)


def decode(
    value: Any, what: str, fetch: Callable[[str], Any] | None = None, prefix: str = "extra/"
) -> Any:
    """Return what `encode` was given; a ValueError for anything that it does not write.

    `fetch` takes the name of a tensor, which begins with `prefix`, and returns the array.
    """

    def inner(part: Any, depth: int) -> Any:
        if isinstance(part, list):
            depth = _deeper(depth, what)
            return [inner(item, depth) for item in part]
        if not isinstance(part, dict):
            return part
        if not any(key.startswith("$") for key in part):
            depth = _deeper(depth, what)
            return {key: inner(item, depth) for key, item in part.items()}
        match part if len(part) == 1 else None:
            case {"$float": "inf" | "-inf" | "nan" as word}:
                return float(word)
            case {"$tuple": list(items)}:
                return tuple(inner(items, depth))
            case {"$dict": list(pairs)}:
                return _dict(pairs, what, partial(inner, depth=_deeper(depth, what)))
            case {"$counter": list(pairs)}:
                return Counter(_dict(pairs, what, partial(inner, depth=_deeper(depth, what))))
            case {"$array": str(name)} if fetch is not None and name.startswith(prefix):
                return fetch(name)
        raise ValueError(f"{what} must have values of a checkpoint, found {part!r:.80}")

    return inner(value, 0)


def references(value: Any) -> Iterator[str]:
    """The names of the tensors that `encode` has put into what it made."""
    if isinstance(value, dict):
        name = value.get("$array")
        if isinstance(name, str):
            yield name
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        yield from references(item)


def _deeper(depth: int, what: str) -> int:
    if depth == MAX_DEPTH:
        raise too_deep(what, MAX_DEPTH, "; it may hold itself")
    return depth + 1


def too_deep(what: str, most: int, remark: str = "") -> ValueError:
    return ValueError(f"{what} is nested too deeply, wanted at most {most} levels{remark}")


def _dict(pairs: list[Any], what: str, inner: Callable[[Any], Any]) -> dict[Any, Any]:
    made = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"{what} must have pairs of key and value, found {pair!r:.80}")
        key, value = map(inner, pair)
        try:
            known = key in made
        except TypeError:
            message = f"a key of {what} must be hashable, found {type(key).__name__}"
            raise ValueError(message) from None
        if known:
            raise ValueError(f"{what} has the key {key!r:.200} twice")
        made[key] = value
    return made
