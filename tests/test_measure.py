"""``step(..., measure=...)``: how far a step moves, with the bits of the contract's sum."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import CASE, ROW_CASES, RUNS
from ferrostep.backends import reference
from support.arrays import TIERS, Array, gradients, running_on
from support.layouts import LAYOUTS, laid_out

#: Odd ends, more than one leaf, nothing, a number.
SHAPES = [(5, 7), (), (3,), (0, 2), (3, 4099)]


def compute(array: Array) -> Array:
    return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)


def norms(old: list[Array], new: list[Array]) -> tuple[Any, Any]:
    """By NumPy: the norms of what was added and of what was there, of all and of each."""
    before, after = [compute(p) for p in old], [compute(p) for p in new]
    moved = [b - a for a, b in zip(before, after, strict=True)]

    def norm(arrays: list[Array]) -> float:
        return float(reference.global_norm(arrays, [a.dtype.str[1:] for a in arrays]))

    total = norm(moved), norm(before)
    each = tuple(norm([m]) for m in moved), tuple(norm([b]) for b in before)
    return total, each


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_moves_have_the_bits_of_the_contract(data: Any) -> None:
    case, dtype = data.draw(st.sampled_from(RUNS))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    params = [data.draw(laid_out(rng.standard_normal(n).astype(dtype))) for n in SHAPES]
    backend = data.draw(st.sampled_from([None, None, "reference"]))
    opt, plain = case.make(params, backend=backend), case.make([p.copy() for p in params])
    how = data.draw(st.sampled_from(["total", "parameter"]))
    scaling = data.draw(st.sampled_from([{}, {"max_norm": 2.0}]))
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 3))):
        for _ in range(3):
            grads: list[Any] = [data.draw(laid_out(gradients(rng, n, dtype))) for n in SHAPES]
            grads[data.draw(st.integers(0, 4))] = None
            if case in ROW_CASES and data.draw(
                st.booleans()
            ):  # of some rows: the others have not moved
                grads[0] = fs.Rows([3, 1, 3], data.draw(laid_out(gradients(rng, (3, 7), dtype))))
            old = [p.copy() for p in params]
            info = opt.step(grads, measure=how, **scaling)
            assert plain.step(grads, **scaling).update_norm is None
            wanted = norms(old, params)[how == "parameter"]
            found = info.update_norm, info.param_norm
            assert np.array_equal(found, wanted, equal_nan=True), (case.name, dtype, found, wanted)
    for p, q in zip(params, plain._parameters(), strict=True):
        assert np.array_equal(p, q, equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("parameter", [np.array, *LAYOUTS.values()], ids=["c", *LAYOUTS])
def test_threads_and_layouts_beyond_one_share(parameter: Any, threads: int) -> None:
    rng = np.random.default_rng(1)
    p, g = parameter(rng.standard_normal((513, 1027))), rng.standard_normal((513, 1027))
    old = p.copy()
    with fs.num_threads(threads):
        info = fs.Adam([p], weight_decay=0.1).step([g], measure="total")
    assert (info.update_norm, info.param_norm) == norms([old], [p])[0]


@pytest.mark.parametrize("how", ["total", "parameter"])
def test_updated_and_update(how: Any) -> None:
    rng = np.random.default_rng(2)
    functional, unbound = (CASE["Adam()"].make(None) for _ in range(2))
    params = [rng.standard_normal(n) for n in SHAPES]
    params[0], params[4] = params[0].T, np.asfortranarray(params[4])
    copies = [p.copy() for p in params]
    for t in range(3):
        grads: list[Any] = [rng.standard_normal(p.shape) for p in params]
        grads[t] = None
        grads[4] = fs.Rows([2, 0, 2], grads[4])
        new = functional.updated(params, grads, measure=how)
        info = unbound.update(copies, grads, measure=how)
        assert functional.last == info
        assert (info.update_norm, info.param_norm) == norms(params, new)[how == "parameter"]
        params = new


def test_a_step_that_is_left_out_has_not_moved() -> None:
    opt = fs.SGD([np.ones(3)], nonfinite="skip")
    info = opt.step([np.full(3, np.nan)], measure="total")
    assert (info.applied, info.update_norm, info.param_norm) == (False, None, None)


def test_a_measured_step_between_repeated_ones() -> None:
    p, g = np.ones(3), np.ones(3)
    opt, grads = fs.SGD([p], lr=0.5), [g]
    moves = [opt.step(grads, measure=how).update_norm for how in (None, None, "total", None)]
    assert (moves[0], moves[1], moves[3]) == (None, None, None)
    assert moves[2] == np.sqrt(0.75)
    assert (p == -1).all()


def test_a_result_is_a_value() -> None:
    info = fs.SGD([np.ones(4)], lr=0.5).step([np.ones(4)], measure="parameter")
    assert repr(info) == (
        "StepInfo(applied=True, grad_norm=None, update_norm=(1.0,), param_norm=(2.0,))"
    )
    assert pickle.loads(pickle.dumps(info)) == info
    assert info != fs.StepInfo(True)
    assert hash(info) != hash(fs.StepInfo(True))


@pytest.mark.parametrize("bad", ["all", "", 1, True, ["total"]])
def test_what_is_no_measure(bad: Any) -> None:
    p = np.ones(3)
    with pytest.raises(ValueError, match="measure must be one of 'total', 'parameter'"):
        fs.SGD([p]).step([np.ones(3)], measure=bad)
    assert (p == 1).all()
