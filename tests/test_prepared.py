"""A step in two halves: what was prepared is committed or abandoned, and nothing else happens."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import PLAIN, Case
from support.arrays import Array, assert_same_bits, assert_same_state, gradients

SHAPES = [(7,), (33, 5), ()]
every_case = pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
every_backend = pytest.mark.parametrize("backend", ["native", "reference"])


def start(case: Case, backend: Any) -> tuple[list[Array], fs.Optimizer]:
    rng = np.random.default_rng(3)
    params = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    return params, case.make(params, backend=backend)


def grads(t: int) -> list[Array]:
    rng = np.random.default_rng(100 + t)
    return [np.asarray(gradients(rng, shape, np.float64)) for shape in SHAPES]


@every_backend
@every_case
def test_committed_it_is_a_step_and_abandoned_it_never_was(case: Case, backend: Any) -> None:
    (mine, found), (theirs, wanted) = start(case, backend), start(case, "native")
    for t in range(4):
        before = [p.copy() for p in mine]
        assert found._prepare(grads(t + 50), max_norm=0.5)
        found._abandon()
        assert found._prepare(grads(t), max_norm=0.5)
        for p, q in zip(mine, before, strict=True):
            assert_same_bits(p, q)
        info = found._commit()
        assert info == wanted.step(grads(t), max_norm=0.5)
        for p, q in zip(mine, theirs, strict=True):
            assert_same_bits(p, q)
        assert_same_state(found, wanted)


@every_backend
def test_a_norm_from_outside(backend: Any) -> None:
    for norm, factor in [(4.0, 1 / (4.0 + 1e-6)), (0.5, 1.0), (np.inf, 0.0)]:
        p, q = np.ones(3), np.ones(3)
        found = fs.SGD([p], lr=0.5, backend=backend)
        assert found._prepare([np.full(3, 2.0)], max_norm=1.0, norm=norm)
        assert found._commit().grad_norm == norm
        fs.SGD([q], lr=0.5).step([np.full(3, 2.0)], grad_scale=factor or None)
        assert_same_bits(p, q if factor else np.ones(3))


@pytest.mark.parametrize("norm", [np.nan, np.inf])
@pytest.mark.parametrize("more", [{}, {"max_norm": 1.0}])
def test_somebody_elses_gradient_is_not_finite(norm: float, more: dict[str, float]) -> None:
    p = np.ones(3)
    opt = fs.Adam([p], nonfinite="skip")
    assert not opt._prepare([np.ones(3)], norm=norm, **more)
    opt._abandon()
    assert opt.skipped_steps == 0
    assert not opt._prepare([np.ones(3)], norm=norm, **more)
    info = opt._commit()
    assert not info.applied
    assert info.nonfinite is None
    assert opt.skipped_steps == 1
    assert (p == 1).all()
    assert not opt.state
    with pytest.raises(fs.NonFiniteError, match=f"the given norm of the gradients is (?i:{norm})"):
        fs.Adam([p], nonfinite="raise")._prepare([np.ones(3)], norm=norm, **more)


def test_one_at_a_time() -> None:
    p = np.ones(3)
    opt = fs.SGD([p], lr=1.0)
    with pytest.raises(RuntimeError, match="no step was prepared"):
        opt._commit()
    opt._abandon()
    opt._prepare([np.ones(3)])
    for again in (opt._prepare, opt.step):
        with pytest.raises(RuntimeError, match="neither committed nor abandoned"):
            again([np.ones(3)])
    opt._commit()
    with pytest.raises(RuntimeError, match="no step was prepared"):
        opt._commit()
    assert (p == 0).all()


def changes() -> list[Any]:
    def resize(opt: fs.Optimizer, p: Array, g: Array) -> None:
        p.resize(2, refcheck=False)

    def gradient(opt: fs.Optimizer, p: Array, g: Array) -> None:
        g.resize(9, refcheck=False)

    def read_only(opt: fs.Optimizer, p: Array, g: Array) -> None:
        p.flags.writeable = False

    def load(opt: fs.Optimizer, p: Array, g: Array) -> None:
        opt.load_state_dict(opt.state_dict())

    def rebind(opt: fs.Optimizer, p: Array, g: Array) -> None:
        opt.rebind([p.copy()])

    return [resize, gradient, read_only, load, rebind, lambda opt, p, g: opt.reset()]


@every_backend
@pytest.mark.parametrize("change", changes())
def test_what_happens_in_between_is_found_out(change: Any, backend: Any) -> None:
    p, g = np.ones(3), np.ones(3)
    opt = fs.Momentum([p], lr=1.0, backend=backend)
    opt.step([g])
    opt._prepare([g])
    change(opt, p, g)
    before = p.copy()
    with pytest.raises(RuntimeError, match="nothing was written"):
        opt._commit()
    assert_same_bits(p, before)


def test_what_waits_is_no_part_of_copies_and_goes_with_its_optimizer() -> None:
    p, g = np.ones(3), np.ones(3)
    opt = fs.Adam([p])
    opt._prepare([g])
    for other in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        assert not other.state
        other.step([g])
    alive = weakref.ref(opt)
    g_cycle: list[Any] = [opt]
    opt._cycle = g_cycle  # type: ignore[attr-defined]
    del opt, g_cycle
    gc.collect()
    assert alive() is None


@every_backend
def test_a_cycle_through_what_waits_is_collected(backend: Any) -> None:
    class Cyclic(np.ndarray):
        pass

    p: Any = np.ones(3).view(Cyclic)
    p.optimizer = fs.SGD([p], backend=backend)
    p.optimizer._prepare([np.ones(3)])
    alive = weakref.ref(p)
    del p
    gc.collect()
    assert alive() is None


def test_a_container_whose_array_was_replaced() -> None:
    params = [np.zeros(3)]
    opt = fs.SGD(params)
    opt._prepare([np.ones(3)])
    params[0] = np.zeros(3)
    with pytest.raises(ValueError, match="was replaced in your list"):
        opt._commit()


def test_a_norm_below_zero() -> None:
    with pytest.raises(ValueError, match="norm must be a number >= 0, infinite or NaN, found -1"):
        fs.SGD([np.ones(3)])._prepare([np.ones(3)], max_norm=1.0, norm=-1.0)


def test_an_unbound_optimizer_has_no_halves() -> None:
    with pytest.raises(ValueError, match="unbound"):
        fs.Adam()._prepare([np.ones(3)])


def test_a_norm_of_others_for_a_rule_whose_sums_are_over_all() -> None:
    """Its own sums would be of this process's parameters alone."""
    p = np.ones(3)
    opt = fs.Prodigy([p])
    with pytest.raises(
        TypeError, match=r"norm must be None for Prodigy, .*, found 2.0; step in one"
    ):
        opt._prepare([np.ones(3)], max_norm=1.0, norm=2.0)
    assert opt._prepare([np.ones(3)], max_norm=1.0)
    opt._commit()
    assert opt.state[0]["step"] == 1
