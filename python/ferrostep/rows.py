"""Indices of rows, as users have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrostep.backends import cuda


def indices(given: Any) -> NDArray[np.int64]:
    """Return what was given as the indices of `Rows`, aligned and without gaps."""
    array = cuda.to_host(given) if cuda.adopt(given) is not None else np.asarray(given)
    if array.size == 0 and not hasattr(given, "dtype"):
        array = array.astype(np.int64)  # of an empty list NumPy makes float64
    if array.dtype.kind not in "iu":
        remedy = "np.flatnonzero(mask)" if array.dtype.kind == "b" else "i.astype(int)"
        raise TypeError(
            f"indices of rows must be integers, found dtype {array.dtype}; pass {remedy}"
        )
    if array.ndim != 1:
        raise ValueError(
            f"indices of rows must be one-dimensional, found shape {array.shape}; pass i.ravel(), "
            "and the values as g.reshape(i.size, *table.shape[1:])"
        )
    if array.dtype.kind == "u":  # what does not fit int64 is a row that no array has
        array = np.minimum(array.astype(np.uint64), np.uint64(2**63 - 1))
    return np.require(array, np.int64, ["C_CONTIGUOUS", "ALIGNED"])
