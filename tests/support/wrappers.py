"""Lookahead and Accumulator by hand, in NumPy, for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.arrays import Array


def compute_type(dtype: Any) -> type[np.floating[Any]]:
    return np.float64 if np.dtype(dtype).itemsize == 8 else np.float32


def follow(slow: list[Array], fast: list[Array], alpha: float) -> None:
    """``s = s + alpha*(p - s); p = s``, each operation rounded once."""
    with np.errstate(all="ignore"):
        for s, p in zip(slow, fast, strict=True):
            a = s.dtype.type(alpha)
            s[...] = s + a * (p.astype(s.dtype) - s)
            p[...] = s.astype(p.dtype)


def tree_sum(leaves: list[Array]) -> Array:
    """The sum of neighbours, of these sums the sums of neighbours; an odd last one passes up."""
    with np.errstate(all="ignore"):
        level = [0 + leaf for leaf in leaves]  # of -0 it makes 0
        while len(level) > 1:
            pairs = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
            level = pairs + level[len(level) & ~1 :]
    return level[0]


def told(value: Any) -> Any:
    """A state dict, to be compared: arrays as their bytes."""
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    return (value.dtype.name, value.shape, value.tobytes()) if hasattr(value, "dtype") else value
