"""The sums of the norm's leaves: the bits of the norm wherever the arrays lie."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import LOW_PRECISION
from ferrostep.backends import reference
from ferrostep.clip import global_norm, leaf_sums, norm_of
from support.arrays import TIERS, Array, assert_same_bits, gradients, running_on
from support.layouts import LAYOUTS, ordered

DTYPES = [np.float16, np.float32, np.float64]
LENGTHS = [0, 1, 31, 33, 4095, 4096, 4097, 3 * 4096 + 5, 300_007]


def sum_of_leaf(x: Array) -> float:
    """Written out on an index."""
    sums = [0.0] * 32
    for i, value in enumerate(x.astype(np.float64).tolist()):
        sums[i % 32] += value * value
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [a + b for a, b in zip(sums[:half], sums[half:], strict=True)]
    return sums[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_leaf_has_its_sum(dtype: type) -> None:
    arrays = [gradients(np.random.default_rng(1), (n,), dtype) for n in LENGTHS]
    wanted = [[sum_of_leaf(x[i : i + 4096]) for i in range(0, x.size, 4096)] for x in arrays]
    for tier in TIERS:
        for threads in (1, 3):
            with running_on(tier, threads):
                for found, sums in zip(leaf_sums(arrays), wanted, strict=True):
                    assert found.dtype == np.float64
                    assert_same_bits(found, np.array(sums))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout: str) -> None:
    x = gradients(np.random.default_rng(2), (70, 41, 3), np.float32)
    assert_same_bits(leaf_sums(LAYOUTS[layout](x))[0], leaf_sums(x)[0])


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION, ">f4"])
@pytest.mark.parametrize("shape", [(301, 190), (67, 5003), (9001, 5), (40, 31, 50), (130, 3, 701)])
def test_any_order_of_axes(shape: tuple[int, ...], dtype: Any) -> None:
    """Of arrays that are gathered some rows at a time, and of several leaves."""
    x = gradients(np.random.default_rng(3), shape, np.float32).astype(dtype)
    wanted, backwards = leaf_sums(x)[0], leaf_sums(x[::-1, ::-1].copy())[0]
    for order in permutations(range(len(shape))):
        y = ordered(x, order)
        for tier in TIERS:
            for threads in (1, 3):
                with running_on(tier, threads):
                    assert_same_bits(leaf_sums([y, y])[1], wanted, f"{order}")
                    assert_same_bits(leaf_sums(y[::-1, ::-1])[0], backwards, f"{order}")
        y = ordered(x[:, ::-1].copy(), order)[:, ::-1]
        assert_same_bits(leaf_sums(y)[0], wanted, f"{order}, one axis backwards")


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 30_000), max_size=5), data=st.data())
def test_the_norm_that_follows(sizes: list[int], data: Any) -> None:
    rng = np.random.default_rng(3)
    arrays: list[Any] = [gradients(rng, (n,), np.float32) for n in sizes]
    arrays.insert(data.draw(st.integers(0, len(arrays))), None)
    wanted = global_norm(arrays)
    sums = leaf_sums(arrays)
    assert_same_bits(np.array(norm_of(sums)), np.array(wanted))
    assert norm_of(np.concatenate(sums)) == wanted
    cut = data.draw(st.integers(0, len(arrays)))
    assert norm_of(leaf_sums(arrays[:cut]) + leaf_sums(arrays[cut:])) == wanted
    squares = [a.astype(np.float64) ** 2 for a in arrays if a is not None]
    assert math.sqrt(reference.tree_sum(squares)) == wanted


def test_an_array_cut_at_leaves() -> None:
    x = gradients(np.random.default_rng(4), (10 * 4096 + 7,), np.float64)
    parts = [leaf_sums(part)[0] for part in (x[: 3 * 4096], x[3 * 4096 : 8 * 4096], x[8 * 4096 :])]
    assert norm_of(parts) == norm_of(np.concatenate(parts)) == global_norm(x)


def test_structures_and_nothing() -> None:
    a = np.full((2, 2), 3.0, np.float32)
    for arrays in ([a, None], (a, None), {"w": a, "none": None}):
        assert [sums.tolist() for sums in leaf_sums(arrays)] == [[36.0], []]
    assert leaf_sums([]) == []
    for nothing in ([], (), np.zeros(0), [np.zeros(0), np.zeros(0)]):
        assert norm_of(nothing) == 0.0
    found = leaf_sums(a)[0]
    found[0] = 1.0  # it is the caller's
    assert norm_of(found.astype(">f8")) == 1.0
    assert norm_of(np.array([9.0, 1.0, 16.0])[::2]) == 5.0


def test_what_is_not_finite() -> None:
    assert math.isnan(norm_of(leaf_sums(np.array([1.0, np.nan]))))
    assert norm_of([np.array([np.inf])]) == math.inf
    assert norm_of(np.full(2, 1e308)) == math.inf


@pytest.mark.parametrize(
    ("sums", "error", "message"),
    [
        (3.0, TypeError, r"sums must be a float64 array as leaf_sums makes it, found float"),
        ([1.0, 2.0], TypeError, r"sums\[0\] must be .*, found float"),
        ([np.zeros(2), None], TypeError, r"sums\[1\] must be .*, found NoneType"),
        (np.zeros(2, np.float32), TypeError, "sums must be .*, found float32 array"),
        (np.zeros(2, int), TypeError, "sums must be .*, found int64 array"),
        ([np.zeros((2, 1))], ValueError, r"sums\[0\] has shape \(2, 1\), wanted one axis"),
        (np.ma.ones(2), TypeError, "sums must be .*, found masked array"),
        (
            [np.zeros(2), np.ma.masked_less(np.ones(2), 2)],
            TypeError,
            r"sums\[1\] must be .*, found masked array",
        ),
        (np.array(1.0), ValueError, r"sums has shape \(\)"),
    ],
    ids=str,
)
def test_bad_sums(sums: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        norm_of(sums)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (None, TypeError, "found NoneType"),
        ([np.ones(3, int)], TypeError, "parameter 0 .*int64"),
        ({"w": [1.0]}, TypeError, "'w' must be a NumPy or CuPy array, found list"),
    ],
    ids=str,
)
def test_bad_arrays(arrays: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        leaf_sums(arrays)
