"""Prodigy: its step size is the model's, of sums over all parameters before any is updated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import TIERS, Array, assert_same_bits, assert_same_state, running_on

SHAPES = [(7,), (3, 5), (), (4099,)]
MEMORY = ("d", "d_max", "numerator")


def problem(seed: int = 0, dtype: Any = np.float64) -> tuple[list[Array], list[list[Array]]]:
    rng = np.random.default_rng(seed)
    start = [np.asarray(rng.standard_normal(n)).astype(dtype) for n in SHAPES]
    # All of one direction, so that the step size grows.
    steps = [[np.asarray(rng.random(n)).astype(dtype) for n in SHAPES] for _ in range(8)]
    return start, steps


def remembered(opt: fs.Optimizer) -> list[tuple[float, ...]]:
    return [tuple(entry[name] for name in MEMORY) for entry in opt.state.values()]


class ByHand:
    """prodigyopt's loop, of one group, where each parameter may have no gradient."""

    def __init__(self, params: list[Array], d0: float, decay: float, growth: float) -> None:
        self.p, self.d, self.d_max, self.d0, self.decay = params, d0, d0, d0, decay
        self.growth, self.numerator = growth, 0.0
        self.state: dict[int, list[Array]] = {}

    def step(self, grads: list[Array | None], lr: float) -> None:
        b1, b2, b3, d = 0.9, 0.999, math.sqrt(0.999), self.d
        with_gradient = [(i, g) for i, g in enumerate(grads) if g is not None]
        added = length = 0.0
        for i, g in with_gradient:
            zero = np.zeros_like(g)
            m, v, s, p0 = self.state.get(i, [zero, zero, zero, self.p[i].copy()])
            added += d / self.d0 * d * lr * np.sum(g * (p0 - self.p[i]))
            m, v = b1 * m + d * (1 - b1) * g, b2 * v + d * d * (1 - b2) * g * g
            s = b3 * s + d / self.d0 * d * lr * g
            length += np.sum(np.abs(s))
            self.state[i] = [m, v, s, p0]
        if not length:
            return
        self.numerator = b3 * self.numerator + added
        found = self.numerator / length
        if d == self.d0:
            self.d = max(d, found)
        self.d_max = max(self.d_max, found)
        self.d = min(self.d_max, self.d * self.growth)
        for i, _ in with_gradient:
            m, v, _, _ = self.state[i]
            self.p[i] = self.p[i] * (1 - d * lr * self.decay)
            self.p[i] = self.p[i] - d * lr * m / (np.sqrt(v) + self.d * 1e-8)


@pytest.mark.parametrize("growth", [math.inf, 1.2])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_step_size_is_the_models(groups: int, growth: float) -> None:
    start, steps = problem()
    steps[0][1] = steps[2][0] = steps[2][2] = steps[5][3] = None  # type: ignore[call-overload]
    params = [p.copy() for p in start]
    cut = [params] if groups == 1 else [params[:2], params[2:]]
    options: dict[str, Any] = {"d0": 0.01, "weight_decay": 0.05, "growth_rate": growth}
    opt = fs.Prodigy([{"params": each} for each in cut], **options)
    wanted = ByHand([p.copy() for p in start], 0.01, 0.05, growth)
    for t, grads in enumerate(steps):
        lr = 1.0 if t < 4 else 0.5
        for group in opt.param_groups:
            group["lr"] = lr
        opt.step(grads)
        wanted.step(grads, lr)
        assert len({*remembered(opt)}) == 1
        assert math.isclose(remembered(opt)[0][0], wanted.d, rel_tol=1e-12)
        for p, want in zip(params, wanted.p, strict=True):
            np.testing.assert_allclose(p, want, rtol=1e-12, atol=1e-13)
    assert wanted.d > 0.01
    assert {entry["step"] for entry in opt.state.values()} == {7}


def test_groups_have_rates_of_their_own_and_may_have_a_d() -> None:
    start, steps = problem()
    rest, moved, far = (p.copy() for p in start[:3])
    opt = fs.Prodigy(
        [
            {"params": [rest], "lr": 0.0},
            {"params": [moved]},
            {"params": [far], "d_coef": 2.0},
        ],
        d0=0.01,
    )
    for grads in steps:
        opt.step(grads[:3])
    assert_same_bits(rest, start[0])
    assert not np.array_equal(moved, start[1])
    (mine, theirs, twice) = (entry["d_max"] for entry in opt.state.values())
    assert mine == theirs
    assert math.isclose(twice, 2 * mine)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sums_are_one_tree_whatever_the_layout_and_the_threads(dtype: Any) -> None:
    start, steps = problem(1, dtype)
    runs = []
    for backend, threads, order in [(None, 1, "C"), (None, 3, "F"), ("reference", 1, "C")]:
        params = [np.array(p, order=order) for p in start]  # type: ignore[call-overload]
        opt = fs.Prodigy(params, d0=0.01, backend=backend)
        with running_on(TIERS[-1], threads):
            for grads in steps:
                opt.step(grads)
        runs.append((params, opt))
    for params, opt in runs[1:]:
        assert remembered(opt) == remembered(runs[0][1])
        for mine, theirs in zip(params, runs[0][0], strict=True):
            assert_same_bits(np.array(mine, order="C"), theirs)


def test_what_comes_later_begins_with_what_is_known() -> None:
    start, steps = problem()
    opt = fs.Prodigy([p.copy() for p in start[:2]], d0=0.01)
    for grads in steps[:3]:
        opt.step(grads[:2])
    known = remembered(opt)[0]
    late = start[3].copy()
    opt.add_param_group({"params": [late]})
    opt.init_state()
    assert remembered(opt) == [known] * 3
    opt.step([*steps[3][:2], steps[3][3]])
    assert len({*remembered(opt)}) == 1
    assert_same_bits(opt.state[2]["p0"], start[3])
    assert np.abs(late - start[3]).max() > 0.1 * known[0]


def test_one_without_a_gradient_so_far_is_resumed_with_what_the_others_know() -> None:
    start, steps = problem()

    def made(params: list[Array]) -> fs.Optimizer:
        return fs.Prodigy(params, d0=0.01)

    params = [p.copy() for p in start]
    opt = made(params)
    for grads in steps[:4]:
        opt.step([*grads[:3], None])
    copies = [p.copy() for p in params]
    twin = made(copies)
    twin.load_state_dict(opt.state_dict())
    for grads in steps[4:]:
        opt.step(grads)
        twin.step(grads)
    assert_same_state(opt, twin)
    for mine, theirs in zip(params, copies, strict=True):
        assert_same_bits(mine, theirs)


def test_a_checkpoint_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    start, steps = problem(2, np.float32)
    whole = [p.copy() for p in start]
    opt = fs.Prodigy(whole, d0=0.01, growth_rate=1.5, weight_decay=0.1)
    for grads in steps:
        opt.step(grads)
    params = [p.copy() for p in start]
    first = fs.Prodigy(params, d0=0.01, growth_rate=1.5, weight_decay=0.1)
    for grads in steps[:3]:
        first.step(grads)
    first.save(tmp_path / "run")
    params = [np.zeros_like(p) for p in start]
    second = fs.Prodigy(params, d0=0.01, growth_rate=1.5, weight_decay=0.1)
    second.load(tmp_path / "run")
    for grads in steps[3:]:
        second.step(grads)
    assert_same_state(second, opt)
    for mine, theirs in zip(params, whole, strict=True):
        assert_same_bits(mine, theirs)


def test_it_begins_where_the_parameter_is_in_its_first_step_whatever_was_before() -> None:
    start, steps = problem()
    params = [p.copy() for p in start]
    opt = fs.Prodigy(params, d0=0.01)
    opt.init_state(step=5)
    assert all(np.isnan(entry["p0"]).all() for entry in opt.state.values())
    opt.step(steps[0])
    for entry, p in zip(opt.state.values(), start, strict=True):
        assert_same_bits(entry["p0"], p)
    more = np.concatenate([params[1], [[1.0] * 5]])
    opt.replace(1, more, [0, 1, 2, -1])
    opt.step([steps[1][0], np.ones((4, 5)), *steps[1][2:]])
    assert_same_bits(opt.state[1]["p0"], np.concatenate([start[1], [[1.0] * 5]]))


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_nothing_is_learnt_where_there_is_nothing_to_learn_from(bad: float) -> None:
    start, steps = problem()
    params = [p.copy() for p in start]
    opt = fs.Prodigy(params, d0=0.01)
    if bad:
        opt.step(steps[0])
        opt.step(steps[1])
    known = remembered(opt)
    grads = [g.copy() for g in steps[2]] if bad else [np.zeros_like(g) for g in steps[2]]
    grads[0][:1] = bad
    opt.step(grads)
    assert remembered(opt) == (known or [(0.01, 0.01, 0.0)] * 4)
    assert np.isnan(params[0][0]) == bool(bad)
    opt.load_state_dict(opt.state_dict())


def test_all_or_nothing() -> None:
    start, steps = problem()
    params = [p.copy() for p in start]
    opt = fs.Prodigy(params, d0=0.01)
    opt.step(steps[0])
    before = opt.state_dict()
    copies = [p.copy() for p in params]
    spoilt = [*steps[1][:3], np.full(4099, np.nan)]
    with pytest.raises(ValueError, match="shape"):
        opt.step([*steps[1][:3], np.ones(3)])
    opt.nonfinite = "raise"
    with pytest.raises(fs.NonFiniteError):
        opt.step(spoilt)
    opt.nonfinite = "skip"
    assert not opt.step(spoilt).applied
    twin = fs.Prodigy(copies, d0=0.01)
    twin.load_state_dict(before)
    assert_same_state(opt, twin)
    for mine, theirs in zip(params, copies, strict=True):
        assert_same_bits(mine, theirs)


def test_what_cannot_be_right_is_refused() -> None:
    p, g = np.ones((3, 2)), np.ones((3, 2))
    opt = fs.Prodigy()
    with pytest.raises(TypeError, match=r"must come together for Prodigy, .* found one; use step"):
        opt.update_one("w", p, g)
    assert not opt.state
    opt.update({"w": p}, {"w": g})
    with pytest.raises(TypeError, match="must be whole for a rule that measures it, found rows"):
        fs.Prodigy([p]).step([fs.Rows([0], np.ones((1, 2)))])


def test_updated_and_update_step_all_together() -> None:
    start, steps = problem()
    params = [p.copy() for p in start]
    opt, into, anew = (fs.Prodigy(p, d0=0.01) for p in (params, None, None))
    copies, new = [p.copy() for p in start], [p.copy() for p in start]
    for grads in steps:
        opt.step(grads)
        into.update(copies, grads)
        new = anew.updated(new, grads)
    for p, q, r in zip(params, copies, new, strict=True):
        assert_same_bits(p, q)
        assert_same_bits(p, r)


def test_wrappers_step_it_as_it_is() -> None:
    start, steps = problem()
    params, copies = ([p.copy() for p in start] for _ in range(2))
    opt = fs.Accumulator(fs.Prodigy(params, d0=0.01), 2)
    plain = fs.Prodigy(copies, d0=0.01)
    for a, b in zip(steps[0::2], steps[1::2], strict=True):
        opt.step(a)
        opt.step(b)
        plain.step([x + y for x, y in zip(a, b, strict=True)], grad_scale=0.5)
    for mine, theirs in zip(params, copies, strict=True):
        assert_same_bits(mine, theirs)
    slow = fs.Lookahead(fs.Prodigy([p.copy() for p in start], d0=0.01), k=2)
    for grads in steps:
        slow.step(grads)
    assert remembered(slow.optimizer)[0][0] > 0.01


def test_names_that_come_later_begin_with_what_is_known() -> None:
    start, steps = problem()
    opt = fs.Prodigy(d0=0.01)
    params = {name: p.copy() for name, p in zip("abcd", start, strict=True)}
    for grads in steps[:3]:
        opt.update({"a": params["a"]}, {"a": grads[0]})
    known = remembered(opt)[0]
    assert known[0] > 0.01
    zeros = {name: np.zeros_like(p) for name, p in params.items()}
    opt.update(params, zeros)
    assert all(math.isclose(entry["d_max"], known[1]) for entry in opt.state.values())
    assert len({*remembered(opt)}) == 1
