"""What comes to `updated`: arrays as they are, numbers and integers as float64 arrays."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from ferrostep import tree
from ferrostep._native import Rows
from ferrostep.backends import cuda
from ferrostep.params import adopted


def _is_numbers(value: Any, depth: int = 0) -> bool:
    """Whether this is a number, or a list or tuple, nested too, of nothing but numbers."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        inside = depth < tree.MAX_DEPTH and bool(value)
        return inside and all(map(_is_numbers, value, repeat(depth + 1)))
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _array(value: Any) -> Any:
    """Return what may be updated as an array: of another library's without a copy."""
    if _is_numbers(value):
        return np.array(value, dtype=np.float64)
    if isinstance(value, Rows):
        return value
    if (on_device := adopted(value)) is not None:
        return on_device
    if not isinstance(value, np.ndarray) and hasattr(value, "__array__"):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        return value.astype(np.float64)
    return value


def arrays(values: Any) -> Any:
    """Return parameters or gradients with an array in the place of everything that can be one."""
    return tree.map(_array, values, _is_numbers)


def _renewed(array: Any, copy: bool) -> Any:
    if (on_device := adopted(array)) is not None:
        return cuda.copy(on_device)
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"params must be arrays, numbers or lists of numbers, found {type(array).__name__}"
        )
    new = np.empty_like(array, subok=not isinstance(array, np.memmap))
    if copy:
        np.copyto(new, array)
    return new


def renewed(params: Any, copy: bool) -> Any:
    """Return new arrays in the same structure: on devices or with `copy` with the old values."""
    return tree.map(lambda array: _renewed(array, copy), params)
