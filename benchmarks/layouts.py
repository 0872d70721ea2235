"""The memory layouts that a parameter and its gradient can come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def dtype_called(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return found
    return np.dtype(name)


def _matrix(values: Array) -> Array:
    """Rows of a thousand, of what divides into them."""
    return values.reshape(-1, 1000) if values.size % 1000 == 0 else values.reshape(1, -1)


def _contiguous(values: Array) -> Array:
    return values.copy()


def _rows(values: Array) -> Array:
    return _matrix(values).copy()


def _fortran(values: Array) -> Array:
    return _matrix(values).copy(order="F")


def _every_second(values: Array) -> Array:
    spaced = np.zeros(2 * values.size, values.dtype)[::2]
    spaced[...] = values
    return spaced


def _reversed(values: Array) -> Array:
    return values[::-1].copy()[::-1]


def _swapped(values: Array) -> Array:
    return values.astype(values.dtype.newbyteorder())


def _unaligned(values: Array) -> Array:
    memory = np.zeros(values.nbytes + 1, np.uint8)
    moved = memory[1:].view(values.dtype)
    moved[...] = values
    return moved


def _half(values: Array) -> Array:
    return values.astype(np.float16)


def _brain(values: Array) -> Array:
    return values.astype(dtype_called("bfloat16"))


@dataclass(frozen=True)
class Layout:
    """How the values are laid out. Each function makes an array of its own."""

    parameter: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


LAYOUTS = {
    "contiguous": Layout(_contiguous, _contiguous),
    "rows": Layout(_rows, _rows),
    "Fortran": Layout(_fortran, _fortran),
    "Fortran gradient": Layout(_rows, _fortran),
    "Fortran parameter": Layout(_fortran, _rows),
    "reversed": Layout(_reversed, _reversed),
    "every second element": Layout(_every_second, _every_second),
    "unaligned": Layout(_unaligned, _unaligned),
    "other byte order": Layout(_swapped, _swapped),
    "float16 gradient": Layout(_contiguous, _half),
    "bfloat16 gradient": Layout(_contiguous, _brain),
}
