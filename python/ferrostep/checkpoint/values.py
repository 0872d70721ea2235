"""Python values as JSON that gives them back exactly.

JSON's own types are themselves. What it lacks is an object with one key that begins with "$":
``$tuple``, ``$float`` ("inf", "-inf", "nan"), ``$dict`` and ``$counter`` (pairs of key and value),
``$array`` (the name of a tensor).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def encode(value: Any, what: str, store: Callable[[Array], str] | None = None) -> Any:
    """Return `value` as JSON; `store` takes an array and returns the name that it is saved by."""

    def inner(part: Any, label: str) -> Any:
        if isinstance(part, np.ndarray) and store is not None:
            return {"$array": store(part)}
        if isinstance(part, np.bool | np.integer | np.floating) and part.dtype != np.longdouble:
            return inner(part.item(), label)
        kind = type(part)
        if part is None or kind in (bool, int, str):
            return part
        if kind is float:
            return part if math.isfinite(part) else {"$float": repr(part)}
        if kind in (list, tuple):
            items = [inner(item, f"{label}[{i}]") for i, item in enumerate(part)]
            return items if kind is list else {"$tuple": items}
        if kind is Counter or kind is dict:
            plain = kind is dict and all(type(k) is str and not k.startswith("$") for k in part)
            pairs = [(inner(k, f"a key of {label}"), inner(v, f"{label}[{k!r}]"))
                     for k, v in part.items()]  # fmt: skip
            return dict(pairs) if plain else {"$dict" if kind is dict else "$counter": pairs}
        raise TypeError(f"{label} is a {kind.__name__}, which a checkpoint cannot hold")

    try:
        return inner(value, what)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply, or holds itself") from None


def decode(value: Any, what: str, arrays: Mapping[str, Array] | None = None) -> Any:
    """Return what `encode` was given; a ValueError for anything that it does not write."""
    if isinstance(value, list):
        return [decode(item, what, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: decode(item, what, arrays) for key, item in value.items()}
    match value:
        case {"$float": "inf" | "-inf" | "nan" as word} if len(value) == 1:
            return float(word)
        case {"$tuple": list(items)} if len(value) == 1:
            return tuple(decode(item, what, arrays) for item in items)
        case {"$dict": list(pairs)} if len(value) == 1:
            return _pairs(pairs, what, arrays)
        case {"$counter": list(pairs)} if len(value) == 1:
            return Counter(_pairs(pairs, what, arrays))
        case {"$array": str(name)} if len(value) == 1 and name in (arrays or ()):
            assert arrays is not None
            return arrays[name]
    raise ValueError(f"{what} has a value that cannot be read: {value!r:.80}")


def _pairs(pairs: list[Any], what: str, arrays: Mapping[str, Array] | None) -> dict[Any, Any]:
    made = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"{what} must have pairs of key and value, found {pair!r:.80}")
        key, value = (decode(item, what, arrays) for item in pair)
        try:
            known = key in made
        except TypeError:
            raise ValueError(f"{what} has a key that is a {type(key).__name__}") from None
        if known:
            raise ValueError(f"{what} has the key {key!r} twice")
        made[key] = value
    return made
