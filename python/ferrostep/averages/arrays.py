"""Arrays of averages, on the host or a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrostep.backends import cuda
from ferrostep.loading import Action
from ferrostep.params import adopted


def average_of(array: Any, dtype: str | None) -> Any:
    """Return a copy to keep an average in; None: in the type that the parameter is computed in."""
    dtype = dtype or ("float64" if array.dtype.itemsize == 8 else "float32")
    with np.errstate(over="ignore"):
        if adopted(array) is None:
            return np.array(array, np.dtype(dtype), order="K", subok=False)
        return _on_device(array, array, dtype)


def as_value(average: Any, array: Any) -> Any:
    """Return an average in the type of its parameter: a view of it, or a copy."""
    if average.dtype == array.dtype:
        return viewed(average)
    if adopted(array) is None:
        return average.astype(array.dtype)
    return _on_device(average, array, array.dtype.name)


def viewed(array: Any) -> Any:
    """Return another array of the same memory: what is done to the shape of this one is not its."""
    return array.view(np.ndarray) if adopted(array) is None else array[...]


def copied(array: Any) -> Any:
    return array.copy("K") if adopted(array) is None else cuda.copy(array)


def writing(average: Any, values: Any) -> Action:
    """Return what writes values of the same shape and type; what can fail is done now."""
    return cuda.assigning(average, cuda.to_host(values).copy())


def _on_device(values: Any, like: Any, dtype: str) -> Any:
    made = cuda.empty_like(like, dtype)
    cuda.copy_back(made, values)
    return made
