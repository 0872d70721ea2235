"""Inputs and comparisons that the tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

import ferrostep as fs
from ferrostep import _native

Array = NDArray[Any]

TIERS = _native.simd_tiers()


def special_values(dtype: DTypeLike) -> Array:
    """What arithmetic treats apart: zeros, subnormals, the edges of the range, NaN."""
    info = ml_dtypes.finfo(dtype)
    tiny = info.smallest_subnormal
    edges = [0.0, tiny, 3 * tiny, info.smallest_normal, info.eps, 1.0, 1e-30, 1e4, info.max, np.inf]
    values = np.array([*edges, np.nan], dtype=dtype)
    return np.concatenate([values, -values])


def gradients(rng: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Gradients of many magnitudes, some exactly zero, some repeated with the other sign."""
    g = rng.standard_normal(shape) * 10.0 ** rng.integers(-4, 3, shape)
    return np.where(rng.random(shape) < 0.1, 0.0, g).astype(dtype)


def bits(array: Array) -> Array:
    """The bits of the values, every NaN as one and the same."""
    native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    native[np.isnan(native)] = np.nan
    return native.view(f"u{native.itemsize}")


def assert_same_bits(found: Array, wanted: Array, what: str = "") -> None:
    assert found.shape == wanted.shape
    differ = bits(found) != bits(wanted)
    if differ.any():
        first = np.unravel_index(np.flatnonzero(differ)[0], differ.shape)
        raise AssertionError(
            f"{what}: {int(differ.sum())} of {differ.size} values differ, first at {first}: "
            f"{found[first]!r} is not {wanted[first]!r}"
        )


def arrays_in(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a parameter's state; the rest is numbers: "step", and what a rule remembers."""
    return {name: x for name, x in entry.items() if not isinstance(x, int | float)}


def numbers_in(entry: Mapping[str, Any]) -> dict[str, float]:
    return {name: x for name, x in entry.items() if isinstance(x, int | float)}


def assert_same_numbers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Two NaNs count as equal, two zeros of other signs do not."""
    pair = [sorted(numbers_in(entry).items()) for entry in (found, wanted)]
    assert repr(pair[0]) == repr(pair[1])


def assert_same_state(found: fs.Optimizer, wanted: fs.Optimizer, what: str = "") -> None:
    assert list(found.state) == list(wanted.state)
    for key, entry in wanted.state.items():
        assert set(found.state[key]) == set(entry)
        assert_same_numbers(found.state[key], entry)
        for name, array in arrays_in(entry).items():
            assert_same_bits(found.state[key][name], array, f"{what} state {key} {name}")


@contextmanager
def running_on(tier: str, threads: int) -> Iterator[None]:
    before = _native.simd_tier()
    _native.set_simd_tier(tier)
    try:
        with fs.num_threads(threads):
            yield
    finally:
        _native.set_simd_tier(before)
