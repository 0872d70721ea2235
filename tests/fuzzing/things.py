"""What a call is given, as the session records it: each world makes its own of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fuzzing.arrays import Spec


class At(NamedTuple):
    """An array of the pool, or a view of it."""

    slot: int
    view: str = "itself"


class StateOf(NamedTuple):
    """A state array of an optimizer."""

    optimizer: int
    parameter: int
    array: int


class SomeRows(NamedTuple):
    """A gradient of these rows alone."""

    indices: Any
    values: Any


class Many(NamedTuple):
    """Things in a structure; `names` for those that have names."""

    kind: str
    items: tuple[Any, ...]
    names: tuple[Any, ...] = ()


class Sneaky(NamedTuple):
    """A gradient that makes a call of its own while it is read."""

    call: tuple[Any, ...]
    array: Spec


VIEWS: dict[str, Any] = {
    "itself": lambda a: a,
    "whole": lambda a: a[...],
    "tail": lambda a: a[1:] if a.ndim else a[...],
    "every other": lambda a: a[::2] if a.ndim else a[...],
    "reversed": lambda a: a[(..., *(slice(None, None, -1),) * a.ndim)],
    "transposed": lambda a: a.T,
    "read-only": lambda a: _read_only(a[...]),
    "bytes": lambda a: a.reshape(-1).view(np.uint8),
}


def _read_only(a: Any) -> Any:
    a.setflags(write=False)
    return a
