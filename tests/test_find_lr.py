"""The range test: what it measures, and that it leaves no trace, to the bit."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASE, HIDDEN, PLAIN, Case
from support.arrays import Array, assert_same_bits, assert_same_state

SHAPES = ((7,), (3, 5), ())


def parameters(seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    arrays[1] = np.asfortranarray(arrays[1])
    return [array.astype(dtype) for array, dtype in zip(arrays, ("f4", "f8", "f2"), strict=True)]


def sphere(params: list[Array]) -> Callable[[], tuple[float, list[Array]]]:
    return lambda: (sum(float((p * p).sum()) for p in params), [2 * p for p in params])


class Twins:
    """An optimizer that goes through the test, and one that does not."""

    def __init__(self, case: Case, before: int) -> None:
        self.params, self.others = parameters(), parameters()
        self.opt, self.other = case.make(self.params), case.make(self.others)
        self.step(before)

    def step(self, times: int) -> None:
        for t in range(times):
            for opt in (self.opt, self.other):
                opt.step(parameters(seed=t + 1))

    def check(self) -> None:
        for _ in range(2):
            for found, wanted in zip(self.params, self.others, strict=True):
                assert_same_bits(found, wanted)
            assert_same_state(self.opt, self.other)
            for mine, theirs in zip(self.opt.param_groups, self.other.param_groups, strict=True):
                assert {**mine, "params": 0} == {**theirs, "params": 0}
            assert self.opt.skipped_steps == self.other.skipped_steps
            self.step(2)


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize(
    "case", [c for c in PLAIN if c.optimizer not in HIDDEN], ids=lambda c: c.name
)
def test_it_leaves_no_trace(case: Case, before: int) -> None:
    twins = Twins(case, before)
    entries = dict(twins.opt.param_groups[0])
    curve = fs.find_lr(twins.opt, sphere(twins.params), max_lr=0.1, steps=20)
    assert len(curve.lrs) > 2
    assert twins.opt.param_groups[0].items() == entries.items()
    twins.check()


class Interrupt:
    """A closure that ends in an error at its fourth call."""

    def __init__(self, params: list[Array], error: BaseException) -> None:
        self.closure, self.error, self.calls = sphere(params), error, 0

    def __call__(self) -> tuple[float, list[Array]]:
        self.calls += 1
        if self.calls == 4:
            raise self.error
        return self.closure()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit()])
def test_an_error_leaves_no_trace(error: BaseException) -> None:
    twins = Twins(CASE["Adam()"], 2)
    with pytest.raises(type(error)):
        fs.find_lr(twins.opt, Interrupt(twins.params, error))
    twins.check()


@pytest.mark.parametrize(
    ("closure", "match"),
    [
        (lambda: 1.0, "closure must return the loss and the gradients, found float"),
        (lambda: [1.0, []], "closure must return the loss and the gradients, found list"),
        (lambda: ("low", []), "the loss must be a single number, found 'low'"),
        (lambda: (np.ones(2), []), "the loss must be a single number"),
        (lambda: (math.nan, []), "the first loss must be finite, found nan"),
        (lambda: (1.0, [np.ones(1)]), "3"),
        (None, "closure must be callable"),
    ],
)
def test_bad_closures(closure: Any, match: str) -> None:
    twins = Twins(CASE["Adam()"], 2)
    with pytest.raises((TypeError, ValueError), match=match):
        fs.find_lr(twins.opt, closure)
    twins.check()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"min_lr": 0.0}, "min_lr must be a finite number > 0"),
        ({"max_lr": math.inf}, "max_lr must be a finite number > 0"),
        ({"min_lr": 0.1, "max_lr": 0.1}, "max_lr must be above min_lr, which is 0.1, found 0.1"),
        ({"steps": 1}, "steps must be an integer >= 2"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"diverged": 0.5}, "diverged must be a finite number >= 1"),
        ({"max_norm": -1.0}, "max_norm"),
        ({"params": [np.ones(2)]}, "step"),
        ({"clipping": 1.0}, "clipping"),
    ],
)
def test_bad_options(options: dict[str, Any], match: str) -> None:
    twins = Twins(CASE["Adam()"], 2)
    with pytest.raises((TypeError, ValueError), match=match):
        fs.find_lr(twins.opt, sphere(twins.params), **options)
    twins.check()


def test_the_curve_is_that_of_steps_by_hand() -> None:
    params, others = parameters(), parameters()
    opt, other = fs.SGD(params), fs.SGD(others)
    curve = fs.find_lr(opt, sphere(params), min_lr=1e-3, max_lr=0.1, steps=9, smoothing=0.0)
    lrs, losses, closure = [], [], sphere(others)
    for i in range(9):
        loss, grads = closure()
        other.lr = float(np.geomspace(1e-3, 0.1, 9)[i])
        other.step(grads)
        lrs.append(other.lr)
        losses.append(loss)
    assert curve.lrs.tolist() == lrs
    assert curve.losses.tolist() == curve.smoothed.tolist() == losses
    assert curve.steepest == lrs[np.argmax(-np.diff(losses))]


def test_the_average_is_corrected_for_its_start() -> None:
    losses = iter([4.0, 2.0, 8.0, 1.0])
    opt = fs.SGD([np.zeros(1)])
    curve = fs.find_lr(opt, lambda: (next(losses), [np.zeros(1)]), steps=4, smoothing=0.5)
    assert curve.smoothed == pytest.approx([4.0, 8 / 3, 40 / 7, 48 / 15])


@pytest.mark.parametrize(
    ("losses", "kept"),
    [
        ([1.0, 0.5, 1.9, 2.1, 0.0], 4),  # above four times the best
        ([1.0, math.nan], 1),
        ([-1.0, -2.0, 3.9, 4.1, 0.0], 4),  # as far above a best below 0
    ],
)
def test_it_ends_early(losses: list[float], kept: int) -> None:
    given = iter(losses)
    opt = fs.SGD([np.zeros(1)])
    curve = fs.find_lr(opt, lambda: (next(given), [np.zeros(1)]), steps=50, smoothing=0.0)
    assert curve.losses.tolist() == losses[:kept]


def test_a_gradient_that_is_not_finite_ends_it() -> None:
    p = np.ones(1)
    opt = fs.SGD([p], nonfinite="raise")
    curve = fs.find_lr(opt, lambda: (1.0, [np.where(p == 1, 1.0, np.nan)]))
    assert len(curve.lrs) == 2
    assert p == 1


def test_a_loss_that_never_falls_has_no_steepest() -> None:
    opt = fs.SGD([np.zeros(1)])
    assert fs.find_lr(opt, lambda: (1.0, [np.zeros(1)])).steepest is None
    assert (
        fs.find_lr(opt, lambda: (math.nan if opt.lr > 1 else 1.0, [np.zeros(1)]), steps=2).steepest
        is None
    )


@pytest.mark.parametrize("begun", [False, True])
def test_an_unbound_optimizer(begun: bool) -> None:
    params = {"a": {"w": np.ones(3)}, "b": np.ones((2, 2))}
    opt, other = fs.Adam(), fs.Adam()
    others = copy.deepcopy(params)
    if begun:
        for mine, its in ((opt, params), (other, others)):
            mine.update(its, fs.tree.map(np.ones_like, its))

    def closure() -> tuple[float, Any]:
        return float((params["b"] ** 2).sum()), fs.tree.map(np.copy, params)

    fs.find_lr(opt, closure, params)
    assert_same_state(opt, other)
    for mine, its in ((opt, params), (other, others)):
        mine.update(its, fs.tree.map(np.ones_like, its))
    assert_same_state(opt, other)
    found, wanted = map(fs.tree.flatten, (params, others))
    for name, array in wanted.items():
        assert_same_bits(found[name], array)
    if not begun:
        fresh = fs.Adam()
        fs.find_lr(fresh, closure, params)
        fresh.update([np.ones(5)], [np.ones(5)])  # it has forgotten the parameters


@pytest.mark.parametrize(
    ("opt", "params", "match"),
    [
        (None, None, "opt must be an optimizer, found None"),
        (fs.SGD, None, "opt must be an optimizer, found <class"),
        (fs.SGD(), [1.0], "params must be arrays"),
        (fs.SGD(), [np.broadcast_to(1.0, (2,))], "parameter 0 is read-only"),
        (fs.SGD(), [{"params": [np.ones(2)]}], "found param groups"),
    ],
)
def test_what_it_cannot_step(opt: Any, params: Any, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        fs.find_lr(opt, lambda: (1.0, [np.ones(2)]), params)


def test_a_closure_that_replaces_a_parameter() -> None:
    """What was there cannot be put back; the optimizer is as good as after the replacement."""
    opt = fs.Adam([np.ones(2)], lr=0.25)
    opt.step([np.ones(2)])

    def closure() -> tuple[float, Any]:
        opt.replace(0, np.ones(3))
        return 1.0, [np.ones(3)]

    with pytest.raises(ValueError, match=r"shape \(2,\), wanted \(3,\)"):
        fs.find_lr(opt, closure)
    assert opt.lr == 0.25
    opt.step([np.ones(3)])


def test_an_unbound_optimizer_needs_its_parameters() -> None:
    with pytest.raises((TypeError, ValueError), match="update"):
        fs.find_lr(fs.SGD(), lambda: (1.0, [np.zeros(1)]))


def test_a_schedule_goes_on() -> None:
    twins = Twins(CASE["Adam()"], 0)
    schedules = [fs.schedulers.CosineAnnealingLR(o, 9) for o in (twins.opt, twins.other)]
    twins.step(2)
    for schedule in schedules:
        schedule.step()
    fs.find_lr(twins.opt, sphere(twins.params))
    for schedule in schedules:
        schedule.step()
    twins.check()
