"""A step that finds everything where it lay repeats the last plan, whatever came in between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import _native
from support.arrays import assert_same_bits, assert_same_state

SHAPES = [(33,), (2, 3), (0,), (5,)]
DTYPES = [np.float32, np.float64, np.float32, np.float16]


class Pair:
    """The core and the reference, to which the same happens, and gradients that stay in place."""

    def __init__(self, **options: Any) -> None:
        rng = np.random.default_rng(3)
        self.params = [
            rng.standard_normal(s).astype(d) for s, d in zip(SHAPES, DTYPES, strict=True)
        ]
        self.grads: list[Any] = [rng.standard_normal(p.shape).astype(p.dtype) for p in self.params]
        backends: list[Any] = [None, "reference"]
        self.opts = [
            fs.Adam(
                [{"params": ps[:2]}, {"params": ps[2:], "weight_decay": 0.01}],
                backend=backend,
                **options,
            )
            for backend, ps in zip(backends, (self.params, copy.deepcopy(self.params)), strict=True)
        ]

    def step(self, **scaling: float) -> None:
        with np.errstate(all="ignore"):
            for opt in self.opts:
                opt.step(self.grads, **scaling)
        core, reference = self.opts
        for mine, theirs in zip(core._parameters(), reference._parameters(), strict=True):
            assert_same_bits(mine, theirs)
        assert_same_state(core, reference)

    def each(self, do: Callable[[fs.Optimizer], object]) -> None:
        for opt in self.opts:
            do(opt)


def _values(pair: Pair) -> None:
    for grad in pair.grads:
        grad *= -0.5


def _elsewhere(pair: Pair) -> None:
    pair.grads[0] = pair.grads[0] * 2


def _strided(pair: Pair) -> None:
    pair.grads[0] = np.repeat(pair.grads[0], 2)[::2]


def _other_dtype(pair: Pair) -> None:
    pair.grads[0] = pair.grads[0].astype(np.float64)


def _skipped(pair: Pair) -> None:
    pair.grads[1] = None


def _rate(pair: Pair) -> None:
    pair.each(lambda opt: opt.param_groups[1].update(lr=0.5))


def _decay(pair: Pair) -> None:
    pair.each(lambda opt: opt.param_groups[0].update(weight_decay=0.1))


def _loaded(pair: Pair) -> None:
    saved = copy.deepcopy(pair.opts[0].state_dict())
    for entry in saved["state"].values():
        entry["step"] = 70
    pair.each(lambda opt: opt.load_state_dict(copy.deepcopy(saved)))


def _reset(pair: Pair) -> None:
    pair.each(lambda opt: opt.reset())


def _added(pair: Pair) -> None:
    pair.each(lambda opt: opt.add_param_group({"params": [np.ones(3)]}))
    pair.grads.append(np.full(3, 0.25))


def _moved(pair: Pair) -> None:
    for opt in pair.opts:
        p = opt.param_groups[0]["params"][0]
        for n in (100_000, p.size):
            p.resize(n, refcheck=False)


def _refused(pair: Pair) -> None:
    grads, pair.grads = pair.grads, [np.ones(7), *pair.grads[1:]]
    for opt in pair.opts:
        with pytest.raises(ValueError, match="has shape"):
            opt.step(pair.grads)
    pair.grads = grads


CHANGES = [
    *(_values, _elsewhere, _strided, _other_dtype, _skipped, _rate, _decay),
    *(_loaded, _reset, _added, _moved, _refused),
]


@pytest.mark.parametrize("nonfinite", ["propagate", "skip"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_comes_between(change: Callable[[Pair], None], nonfinite: str) -> None:
    pair = Pair(nonfinite=nonfinite)
    for _ in range(3):
        pair.step()
    change(pair)
    for _ in range(3):
        pair.step()


def test_gradients_that_lie_elsewhere_at_each_step() -> None:
    pair = Pair()
    kept = []  # so that none takes the place of another
    for factor in (1, -0.5, 3, 0.25):
        pair.grads = [grad * grad.dtype.type(factor) for grad in pair.grads]
        kept.append(pair.grads)
        pair.step()
    for pair.grads in (kept[0], kept[2], kept[0]):
        pair.step()


@pytest.mark.parametrize(
    "other", [lambda g: g.astype(np.float32), np.asfortranarray, lambda g: None]
)
def test_a_repetition_that_ends_halfway(other: Callable[[Any], Any]) -> None:
    pair = Pair()
    pair.step()
    pair.step()
    old = pair.grads
    elsewhere = old[0] * 2
    # The first could run where it lies now, the second asks for another plan.
    for pair.grads in ([elsewhere, other(old[1]), *old[2:]], old, [elsewhere, *old[1:]], old):
        pair.step()


def test_scaling_comes_and_goes() -> None:
    pair = Pair()
    for scaling in ({}, {}, {"grad_scale": 0.1}, {}, {"max_norm": 0.5}, {}, {"grad_scale": -3.0}):
        pair.step(**scaling)


def test_tiers_and_threads_come_and_go() -> None:
    pair, tier = Pair(), _native.simd_tier()
    try:
        for name in (*_native.simd_tiers(), *reversed(_native.simd_tiers())):
            _native.set_simd_tier(name)
            with fs.num_threads(3):
                pair.step()
            pair.step()
    finally:
        _native.set_simd_tier(tier)


def test_values_that_are_not_finite_are_seen_again() -> None:
    pair = Pair(nonfinite="skip")
    pair.step()
    pair.step()
    pair.grads[0][3] = np.nan
    assert not pair.opts[0].step(pair.grads).applied
    assert pair.opts[0].skipped_steps == 1


def test_a_gradient_that_moves_onto_a_parameter() -> None:
    p = np.ones(4, np.float32)
    opt = fs.Adam([p])
    g = np.ones(4, np.float32)
    opt.step([g])
    opt.step([g])
    before = p.copy()
    with pytest.raises(ValueError, match="overlaps"):
        opt.step([p[:]])
    assert_same_bits(p, before)
    opt.step([g])
    assert opt.state[0]["step"] == 3
