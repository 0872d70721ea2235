"""The global norm, native and by the reference, and clipping in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases import LOW_PRECISION
from ferrostep.backends import reference
from ferrostep.clip import clip_by_global_norm, clip_by_value, global_norm
from support.arrays import TIERS, Array, assert_same_bits, gradients, running_on, special_values
from support.layouts import LAYOUTS, laid_out

DTYPES = [np.float16, np.float32, np.float64]
LENGTHS = [0, 1, 31, 32, 33, 4095, 4096, 4097, 3 * 4096 + 5]


def compute_type(array: Array) -> Any:
    return np.float64 if array.dtype.type is np.float64 else np.float32


def by_reference(arrays: list[Any]) -> float:
    types = [np.float32 if a is None else compute_type(a) for a in arrays]
    return reference.global_norm(arrays, types)


def assert_same_number(found: float, wanted: float) -> None:
    assert type(found) is float
    assert_same_bits(np.array(found), np.array(wanted))


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_at_every_tier_thread_count_and_length(dtype: type) -> None:
    rng = np.random.default_rng(1)
    arrays = [gradients(rng, (n,), dtype) for n in [*LENGTHS, 300_007, 5]]
    wanted = by_reference(arrays)
    singles = [by_reference([a]) for a in arrays]
    for tier in TIERS:
        for threads in (1, 2, 3, 7):
            with running_on(tier, threads):
                assert_same_number(global_norm(arrays), wanted)
                for a, single in zip(arrays, singles, strict=True):
                    assert_same_number(global_norm(a), single)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_norm_of_any_layout(layout: str, dtype: type) -> None:
    rng = np.random.default_rng(2)
    arrays = [gradients(rng, shape, dtype) for shape in [(70, 41, 3), (19, 1, 310)]]
    assert_same_number(global_norm([LAYOUTS[layout](a) for a in arrays]), by_reference(arrays))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_norm_of_whatever_hypothesis_thinks_of(data: Any) -> None:
    finite = st.floats(-100, 100, width=16)
    shape = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20)
    kinds = st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
    plain, arrays = [], []
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.integers(0, 5)) == 0:
            plain.append(None)
            arrays.append(None)
            continue
        values = hnp.arrays(np.dtype(data.draw(kinds)), data.draw(shape), elements=finite)
        plain.append(data.draw(values))
        arrays.append(data.draw(laid_out(plain[-1])))
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 4))):
        assert_same_number(global_norm(arrays), by_reference(plain))


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 50), max_size=6))
def test_whole_leaves_may_be_split_over_arrays(cuts: list[int]) -> None:
    x = gradients(np.random.default_rng(3), (50 * 4096 + 77,), np.float32)
    parts = np.split(x, [4096 * cut for cut in sorted(cuts)])
    assert_same_number(global_norm(parts), global_norm(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_is_near_numpy(dtype: type) -> None:
    # A leaf adds 128 squares to each sum; folding adds 5 levels and one per doubling of leaves.
    # Each addition and square errs by at most half an ulp, and the root halves that.
    x = gradients(np.random.default_rng(4), (1_000_003,), dtype)
    exact = math.sqrt(math.fsum(float(v) ** 2 for v in x))
    additions = 128 + 5 + math.ceil(math.log2(x.size / 4096))
    assert global_norm(x) == pytest.approx(exact, rel=(additions + 3) / 2 * 2**-53, abs=0)
    numpy = np.linalg.norm(x.astype(np.float64))
    assert global_norm(x) == pytest.approx(numpy, rel=1e-12, abs=0)


def test_norm_of_special_values() -> None:
    for dtype in DTYPES:
        for value in special_values(dtype):
            for array in (value.reshape(1), value):
                assert_same_number(global_norm([array]), by_reference([np.asarray(array)]))
    assert global_norm(np.full(3, 1e200)) == math.inf
    assert global_norm(np.full(10_000, 1e154)) == math.inf
    assert math.isnan(global_norm([np.ones(3), np.array([np.inf, np.nan])]))
    assert global_norm(np.full(3, np.float16(6e4))) == pytest.approx(6e4 * math.sqrt(3))


def test_structures() -> None:
    a, b = np.full((2, 2), 1.0, np.float32), np.array(2.0)
    want = math.sqrt(8)
    for arrays in ([a, None, b], (a, b), {"w": a, "none": None, "b": b}, {0: a, 1: b}):
        assert global_norm(arrays) == want
    assert global_norm([a, np.float64(2.0)]) == want
    assert global_norm(a) == 2.0
    for nothing in ([], {}, [None], np.zeros(0), np.zeros((3, 0))):
        assert global_norm(nothing) == 0.0
        assert clip_by_global_norm(nothing, 0.0) == 0.0
    read_only = np.array([3.0, 4.0])
    read_only.setflags(write=False)
    assert global_norm([read_only, read_only]) == math.sqrt(50)


def expected(array: Array, factor: float) -> Array:
    """The formula, element for element, in the compute type."""
    kind = compute_type(array)
    with np.errstate(all="ignore"):
        products = np.asarray(array, dtype=kind) * kind(factor)
        return products.astype(array.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["c", *LAYOUTS])
def test_clipping_is_the_formula_to_the_bit(layout: str, dtype: type) -> None:
    rng = np.random.default_rng(5)
    lay = LAYOUTS.get(layout, np.array)
    values = special_values(dtype)
    values = values[np.isfinite(values) & (np.abs(values) <= 1e4)]
    plain = [gradients(rng, (70, 41), dtype), values.reshape(1, -1), np.array(3.0, dtype)]
    norm = by_reference(plain)
    for max_norm in (0.37, 1e-7, 0.0):
        work = [lay(a.copy()) if a.ndim else a.copy() for a in plain]
        assert_same_number(clip_by_global_norm(work, max_norm), norm)
        for found, start in zip(work, plain, strict=True):
            assert_same_bits(found, expected(start, max_norm / (norm + 1e-6)), layout)


def test_nothing_is_written_where_the_norm_is_small() -> None:
    class Watched(np.ndarray[Any, Any]):
        def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
            raise AssertionError("touched")

    a = np.array([3.0, 4.0]).view(Watched)
    for max_norm in (5.1, 1e300, math.inf):
        assert clip_by_global_norm([a], max_norm) == 5.0
    assert np.asarray(a).tolist() == [3.0, 4.0]
    assert math.isnan(clip_by_global_norm([np.array([np.nan]).view(Watched), a], math.inf))


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e300])
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_a_nan_norm_makes_everything_nan(dtype: type, max_norm: float) -> None:
    arrays = [np.ones((3, 4), dtype).T, np.array([1, np.nan, np.inf], dtype), np.array(2, dtype)]
    assert math.isnan(clip_by_global_norm(arrays, max_norm))
    assert all(np.isnan(a).all() for a in arrays)


def test_an_infinite_norm_gives_zeros_and_nan() -> None:
    a = np.array([1.0, -2.0, np.inf])
    assert clip_by_global_norm(a, 1.0) == math.inf
    assert_same_bits(a, np.array([0.0, -0.0, np.nan]))
    assert clip_by_global_norm(np.array([np.inf]), math.inf) == math.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["c", *LAYOUTS])
def test_clipping_by_value(layout: str, dtype: type) -> None:
    values = special_values(dtype)
    lay = LAYOUTS.get(layout, np.array)
    for limit in (0.0, 0.1, 1.0, 6e4, 1e39, math.inf):
        with np.errstate(all="ignore"):
            bound = compute_type(values)(limit)
            wide = values.astype(compute_type(values))
            wide = np.where(wide < -bound, -bound, np.where(wide > bound, bound, wide))
            wanted = wide.astype(dtype).reshape(2, -1)
        found = lay(values.reshape(2, -1).copy())
        clip_by_value({"a": found}, limit)
        assert_same_bits(found, wanted, f"{layout} {limit}")


def frozen() -> Array:
    a = np.ones(3)
    a.setflags(write=False)
    return a


X = np.ones(6)
BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("a number", 1.0, TypeError, "found float"),
    ("a generator", (a for a in [X]), TypeError, "found generator"),
    ("a string", "abc", TypeError, "found str"),
    ("None", None, TypeError, "found NoneType"),
    ("floats", [1.0, 2.0], TypeError, "parameter 0 must be .*, found float"),
    ("nested", [X, [X]], TypeError, "parameter 1 must be .*, found list"),
    ("masked", {"w": np.ma.ones(3)}, TypeError, "'w' must be .*, found MaskedArray"),
    ("int", [X, np.ones(3, int)], TypeError, "parameter 1 .*int64.*float32"),
    ("bool", {"w": np.ones(3, bool)}, TypeError, "parameter 'w' .*bool"),
    ("complex", [np.ones(3, complex)], TypeError, "complex128"),
    ("longdouble", [np.ones(3, np.longdouble)], TypeError, "float32"),
    ("object", [np.ones(3, object)], TypeError, "object"),
]
UNWRITABLE: list[tuple[str, Any, type[Exception], str]] = [
    (
        "a scalar",
        [X, np.float64(2.0)],
        TypeError,
        "parameter 1 must be a NumPy array .*, found float64",
    ),
    ("matrix", [X.view(np.matrix)], TypeError, "parameter 0 must be .*, found matrix"),
    ("read-only", {"w": X, "b": frozen()}, ValueError, "parameter 'b' is read-only"),
    ("twice", [X, None, X], ValueError, "parameter 0 and .* parameter 2 are the same array"),
    ("overlapping", [X[:4], X[3:]], ValueError, "0 and .* parameter 1 overlap in memory"),
    ("a view", {"a": X, "b": X[::2]}, ValueError, "'a' and .* 'b' overlap in memory"),
    ("broadcast", [np.lib.stride_tricks.as_strided(X, (3, 2), (0, 8))], ValueError, "itself"),
]


@pytest.mark.parametrize(("arrays", "error", "message"), [row[1:] for row in BAD + UNWRITABLE],
                         ids=[row[0] for row in BAD + UNWRITABLE])  # fmt: skip
def test_bad_arrays_and_nothing_is_written(
    arrays: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        clip_by_global_norm(arrays, 0.1)
    with pytest.raises(error, match=message):
        clip_by_value(arrays, 0.1)
    assert (X == 1.0).all()


@pytest.mark.parametrize(("arrays", "error", "message"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_arrays_have_no_norm(arrays: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        global_norm(arrays)


def test_arrays_that_interleave_do_not_overlap() -> None:
    x = np.full(6, 2.0)
    clip_by_value([x[::2], x[1::2]], 1.0)
    assert (x == 1.0).all()


@pytest.mark.parametrize("bad", [-1.0, -1, math.nan, True, np.True_, "1", None, 1j, [1.0]])
def test_bad_bounds(bad: Any) -> None:
    a = np.array([3.0])
    with pytest.raises(ValueError, match=r"max_norm .*must be a number >= 0"):
        clip_by_global_norm(a, bad)
    with pytest.raises(ValueError, match=r"limit .*must be a number >= 0"):
        clip_by_value(a, bad)
    assert a[0] == 3.0


def test_bounds_of_other_number_types() -> None:
    a = np.array([3.0], np.float32)
    assert clip_by_global_norm(a, np.float32(1)) == 3.0
    clip_by_value(a, np.int64(0))
    assert a[0] == 0.0
