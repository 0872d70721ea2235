"""The same values in other memory: layouts by name, and whatever hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.arrays import Array


def unaligned(a: Array) -> Array:
    raw = np.empty(a.nbytes + 1, np.uint8)[1:]
    out = raw.view(a.dtype).reshape(a.shape)
    out[...] = a
    return out


def wider(a: Array) -> Array:
    out = np.empty(tuple(2 * n for n in a.shape), a.dtype)[
        tuple(slice(None, None, 2) for _ in a.shape)
    ]
    out[...] = a
    return out


def ordered(a: Array, order: tuple[int, ...]) -> Array:
    """Return the same values in memory that has the axes in this order."""
    return a.transpose(order).copy().transpose(np.argsort(order))


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "fortran": lambda a: np.array(a, order="F"),
    "strided": wider,
    "reversed": lambda a: np.array(a[::-1])[::-1],
    "swapped axes": lambda a: np.ascontiguousarray(a.swapaxes(0, -1)).swapaxes(0, -1),
    "unaligned": unaligned,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder("S")),
    "strided, byte-swapped": lambda a: wider(a.astype(a.dtype.newbyteorder("S"))),
}


@st.composite
def laid_out(draw: Any, values: Any) -> Any:
    """The same values in a random memory layout."""
    order = draw(st.permutations(range(values.ndim)))
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in range(values.ndim)]
    shape = [values.shape[axis] * abs(steps[axis]) for axis in order]
    base = np.zeros(shape, values.dtype).transpose(np.argsort(order) if order else None)
    view = base[(*(slice(None, None, step) for step in steps), ...)]
    view[...] = values
    return view
