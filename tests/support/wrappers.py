"""Lookahead and Accumulator by hand, in NumPy, for the tests."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

import ferrostep as fs
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


def following() -> tuple[dict[str, Array], fs.Lookahead]:
    params = {
        "w": np.ones((3, 4), np.float32),
        "h": np.ones(5, ml_dtypes.bfloat16),
        "d": np.ones(2),
    }
    return params, fs.Lookahead(fs.Adam(params, lr=0.1, nonfinite="raise"), k=3, alpha=0.3)


def waves(params: dict[str, Array], t: int) -> dict[str, Array]:
    return {name: np.cos(np.arange(p.size) + t).reshape(p.shape) for name, p in params.items()}


def accumulating() -> tuple[dict[str, Array], fs.Accumulator]:
    params = {"w": np.ones((2, 3), ml_dtypes.bfloat16), "b": np.ones(2)}
    inner = fs.Adam(params, lr=0.1, nonfinite="raise")
    return params, fs.Accumulator(fs.Lookahead(inner, k=2), 3)


def waves_or_none(params: dict[str, Array], t: int) -> dict[str, Any]:
    found: dict[str, Any] = dict(waves(params, t))
    return {**found, "w": None} if t % 4 == 1 else found
