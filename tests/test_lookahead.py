"""Lookahead: the bits of the formula, whatever is wrapped, and a step that is whole or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASE, DTYPES, LOW_PRECISION, PLAIN, Case
from support.arrays import (
    TIERS,
    Array,
    assert_same_bits,
    gradients,
    running_on,
    special_values,
)
from support.layouts import LAYOUTS
from support.wrappers import (
    compute_type,
    follow,
    following,
)

SHAPES = [(7,), (5, 0), (9, 13), (2, 1031), (301, 64)]


def arrays(dtype: Any, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]


def by_hand(case: Case, start: list[Array], steps: list[list[Array]], k: int, alpha: float) -> Any:
    params = [p.copy() for p in start]
    opt = case.make(params)
    slow = [p.astype(compute_type(p.dtype)) for p in params]
    for t, grads in enumerate(steps, 1):
        opt.step(grads)
        if t % k == 0:
            follow(slow, params, alpha)
    return params, slow


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_the_bits_of_the_formula(case: Case, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    start = arrays(dtype)
    steps = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(7)]
    k, alpha = (3, 0.3) if case.name < "M" else (2, 0.5)
    wanted, slow = by_hand(case, start, steps, k, alpha)
    for tier, threads in [(TIERS[0], 1), (TIERS[-1], 3)]:
        params = [p.copy() for p in start]
        opt = fs.Lookahead(case.make(params), k, alpha)
        with running_on(tier, threads):
            assert all(opt.step(grads).applied for grads in steps)
        for p, s, found, want in zip(params, slow, opt.slow.values(), wanted, strict=True):
            assert_same_bits(p, want)
            assert_same_bits(found, s)
            assert found.dtype == compute_type(dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_special_values(dtype: Any) -> None:
    values = special_values(dtype)
    p, g = np.meshgrid(values, values)
    for alpha in (0.0, 0.3, 1.0):
        found = p.copy()
        opt = fs.Lookahead(fs.SGD([found], lr=0.5), k=1, alpha=alpha)
        for _ in range(2):
            opt.step([g])
        (wanted,), _ = by_hand(CASE["SGD(lr=0.1)"], [p], [], 1, alpha)
        twin, slow = fs.SGD([wanted], lr=0.5), [p.astype(compute_type(dtype))]
        for _ in range(2):
            twin.step([g])
            follow(slow, [wanted], alpha)
        assert_same_bits(found, wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(2)
    start = rng.standard_normal((19, 31)).astype(np.float32)
    steps = [[gradients(rng, (19, 31), np.float32)] for _ in range(4)]
    (wanted,), _ = by_hand(CASE["Adam()"], [start], steps, 2, 0.5)
    p = LAYOUTS[layout](start)
    opt = fs.Lookahead(fs.Adam([p]), k=2)
    for grads in steps:
        opt.step(grads)
    assert_same_bits(p, wanted)


def test_what_the_wrapped_optimizer_is() -> None:
    p, q = np.ones(3), np.ones((2, 2), np.float32)
    base = fs.SGD([{"params": {"p": p}, "lr": 0.5}, {"params": {"q": q}}], lr=0.25, momentum=0.5)
    opt = fs.Lookahead(base, k=2)
    schedule = fs.schedulers.ExponentialLR(opt, 0.5)
    assert opt.optimizer is base
    assert opt.param_groups is base.param_groups
    assert opt.defaults["lr"] == 0.25
    opt.step({"p": p.copy(), "q": None})
    schedule.step()
    assert [group["lr"] for group in base.param_groups] == [0.25, 0.125]
    opt.lr = 0.125
    opt.nonfinite = "skip"
    assert (base.lr, base.nonfinite, opt.momentum) == (0.125, "skip", 0.5)
    assert opt.state["p"] == base.state["p"]
    assert repr(opt).startswith("Lookahead(k=2, alpha=0.5) of SGD(nonfinite='skip'): 2 param")
    assert {"step", "k", "alpha", "lr", "momentum", "state", "save"} <= set(dir(opt))
    for name in ("learning_rate", "_prepare", "_commit", "__array__"):
        with pytest.raises(AttributeError, match=name):
            getattr(opt, name)
    with pytest.raises(AttributeError, match="'SGD' object has no attribute 'beta'"):
        opt.beta = 0.5  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"bound to its parameters; use step\(\)"):
        opt.update([p], [p])


def test_a_step_without_gradients_or_with_bad_ones_counts_as_it_does_there() -> None:
    p = np.full(2, 8.0)
    opt = fs.Lookahead(fs.SGD([p], lr=1.0, nonfinite="skip"), k=2)
    assert opt.step([np.ones(2)]).applied
    info = opt.step([np.array([np.nan, 1.0])])
    assert (info.applied, info.nonfinite, opt.skipped_steps) == (False, 0, 1)
    np.testing.assert_array_equal(p, 7.0)
    with pytest.raises(ValueError, match=r"has shape \(3,\), wanted \(2,\)"):
        opt.step([np.ones(3)])
    with pytest.raises(ValueError, match="max_norm"):
        opt.step([np.ones(2)], max_norm=-1)
    np.testing.assert_array_equal(p, 7.0)
    info = opt.step([np.full(2, 3.0)], max_norm=np.inf, measure="total")
    assert info.grad_norm == info.update_norm == np.sqrt(18)  # of the optimizer's own step
    np.testing.assert_array_equal(p, (8 + 4) / 2)
    assert opt.step([None]).applied


def test_parameters_that_come_go_and_are_exchanged() -> None:
    a, b, c = (np.full((2, 1), x) for x in (8.0, 80.0, 800.0))
    opt = fs.Lookahead(fs.SGD([a], lr=1.0), k=2)
    one = np.ones((2, 1))
    opt.step([one])
    opt.add_param_group({"params": [b]})
    b -= 10  # what was written before its first step is what it begins with
    opt.step([one, one])
    np.testing.assert_array_equal(a, (8 + 6) / 2)
    np.testing.assert_array_equal(b, (70 + 69) / 2)
    opt.step([one, one])
    moved = a.copy()
    opt.rebind([moved, b])
    opt.step([one, one])
    np.testing.assert_array_equal(moved, (7 + 5) / 2)
    opt.step([one, one])
    longer = np.full((3, 1), 20.0)
    opt.replace(0, longer, [0, 1, -1])
    opt.step([np.ones((3, 1)), one])
    np.testing.assert_array_equal(longer, (20 + 19) / 2)
    opt.add_param_group({"params": [c]})
    opt.remove_param_group(0)
    assert list(opt.slow) == [0, 1]
    opt.step([one, one])
    opt.step([one, one])
    np.testing.assert_array_equal(c, (800 + 798) / 2)
    opt.reset()
    assert opt.slow == {}
    assert not opt.state


def test_what_cannot_be_written_is_found_before_the_step() -> None:
    p, q = np.ones(2), np.ones(2)
    opt = fs.Lookahead(fs.SGD([p, q], lr=0.5), k=1)
    opt.step([p * 1, q * 1])
    now = p.copy()
    q.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        opt.step([p * 1, q * 1])
    assert_same_bits(p, now)


BAD_ARGUMENTS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: fs.Lookahead(fs.SGD()), ValueError, "found an unbound one; make it with params"),
    (lambda: fs.Lookahead([np.ones(2)]), TypeError, "must be one of ferrostep's, found list"),  # type: ignore[arg-type]
    (
        lambda: fs.Lookahead(following()[1]),
        TypeError,
        "have an optimizer in it, found L",
    ),  # type: ignore[arg-type]
    (lambda: fs.Lookahead(fs.SGD([np.ones(2)]), 0), ValueError, "k must be an integer >= 1, fou"),
    (lambda: fs.Lookahead(fs.SGD([np.ones(2)]), 2.5), ValueError, "integer >= 1, found 2.5"),  # type: ignore[arg-type]
    (lambda: fs.Lookahead(fs.SGD([np.ones(2)]), True), ValueError, "integer >= 1, found True"),
    (lambda: fs.Lookahead(fs.SGD([np.ones(2)]), alpha=1.5), ValueError, r"number in \[0, 1\]"),
    (lambda: fs.Lookahead(fs.SGD([np.ones(2)]), alpha=np.nan), ValueError, r"alpha value: nan"),
    (lambda: setattr(following()[1], "k", -1), ValueError, "k must be an integer >= 1, found -1"),
    (lambda: setattr(following()[1], "alpha", "x"), ValueError, "Invalid alpha value: 'x'"),
    (lambda: setattr(following()[1], "slow", {}), AttributeError, "slow"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_options_may_change_between_steps() -> None:
    p = np.full(2, 8.0)
    opt = fs.Lookahead(fs.SGD([p], lr=1.0), k=np.int64(9), alpha=np.float32(0.25))  # type: ignore[arg-type]
    assert (type(opt.k), type(opt.alpha)) == (int, float)
    for _ in range(3):
        opt.step([np.ones(2)])
    opt.k, opt.alpha = 2, 0.5
    opt.step([np.ones(2)])  # the last time was longer ago than that
    np.testing.assert_array_equal(p, (8 + 4) / 2)
