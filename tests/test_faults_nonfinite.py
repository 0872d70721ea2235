"""Gradients that are not finite: left out and counted, or refused, under every other fault."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import SEES_NAN, Case
from support.arrays import TIERS, running_on
from support.programs import Run, counts, digest, gradients, made

BAD = [np.nan, np.inf, -np.inf]


def poisoned(value: float, where: int = 2, place: int = -1) -> list[Any]:
    grads = gradients()
    grads[where].reshape(-1)[place] = value
    return grads


@pytest.fixture(params=["memory", "disk", "reference"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {
        "memory": {},
        "disk": {"state_factory": fs.MemmapState(tmp_path)},
        "reference": {"backend": "reference"},
    }[request.param]


@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_skipped_step_never_was(
    options: dict[str, Any], threads: int, max_norm: float | None
) -> None:
    plain = made(nonfinite="skip", **options)
    opt = made(nonfinite="skip", **options)
    for tier in TIERS:
        with running_on(tier, threads):
            for i, value in enumerate(BAD):
                place = [0, 150_000, -1][i]
                info = opt.step(poisoned(value, 0, place), max_norm=max_norm)
                assert not info.applied
                assert (info.grad_norm is None) == (max_norm is None)
                assert digest(opt) == digest(plain)
                assert opt.step(gradients(), max_norm=max_norm).applied
                assert plain.step(gradients(), max_norm=max_norm).applied
                assert digest(opt) == digest(plain)
    assert opt.skipped_steps == opt.state_dict()["skipped_steps"] == len(BAD) * len(TIERS)
    assert plain.skipped_steps == 0
    if max_norm is None:
        assert digest(opt) == Run().at(len(BAD) * len(TIERS))


@pytest.mark.parametrize("value", BAD)
def test_raise_names_the_parameter_and_counts_nothing(
    options: dict[str, Any], value: float
) -> None:
    opt = made(nonfinite="raise", **options)
    for step in range(2):
        with pytest.raises(fs.NonFiniteError, match="gradient of parameter 1 is not finite"):
            opt.step(poisoned(value, 1, 0), max_norm=1.0)
        assert digest(opt) == Run().at(step)
        assert (counts(opt), opt.skipped_steps) == ([step] * 3, 0)
        opt.step(gradients())


@pytest.mark.parametrize(
    "copied",
    [
        lambda opt: copy.deepcopy(opt),
        lambda opt: copy.copy(opt),
        lambda opt: loaded(opt),
    ],
    ids=["deepcopy", "copy", "load_state_dict"],
)
def test_the_counter_goes_where_the_state_goes(
    options: dict[str, Any], copied: Callable[[fs.Optimizer], fs.Optimizer]
) -> None:
    opt = made(nonfinite="skip", **options)
    opt.step(gradients())
    opt.step(poisoned(np.nan))
    other = copied(opt)
    assert other.skipped_steps == 1
    other.step(poisoned(np.inf))
    assert (opt.skipped_steps, other.skipped_steps) == (1, 2)
    other.reset()
    assert (opt.skipped_steps, other.skipped_steps) == (1, 0)


def loaded(opt: fs.Optimizer) -> fs.Optimizer:
    other = made(nonfinite="skip")
    other.load_state_dict(opt.state_dict())
    return other


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_counts_for_itself() -> None:
    from support.programs import in_child

    opt = made(nonfinite="skip")
    opt.step(gradients())
    opt.step(poisoned(np.nan))

    def child() -> str:
        opt.step(poisoned(np.nan))
        opt.step(gradients())
        return f"{opt.skipped_steps} {digest(opt)}"

    with fs.num_threads(3):
        assert in_child(child) == f"2 {Run().at(2)}"
    assert opt.skipped_steps == 1
    assert digest(opt) == Run().at(1)


def test_nothing_is_left_on_the_disk_by_a_first_step_that_is_skipped(tmp_path: Path) -> None:
    asked = []

    class Counted(fs.MemmapState):
        def __call__(self, *arguments: Any) -> Any:
            asked.append(arguments[:2])
            return super().__call__(*arguments)

    opt = made(nonfinite="skip", state_factory=Counted(tmp_path))
    opt.step(poisoned(np.nan))
    assert not opt.state
    opt.step(gradients())
    assert asked == 2 * [(i, name) for i in range(3) for name in ("exp_avg", "exp_avg_sq")]
    assert os.listdir(tmp_path) == []
    assert digest(opt) == Run().at(1)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("unbound", [False, True])
@pytest.mark.parametrize("case", SEES_NAN, ids=str)
def test_a_nan_norm_makes_every_parameter_nan(
    case: Case, unbound: bool, backend: str | None
) -> None:
    """One NaN in one gradient, under "propagate"; without a gradient nothing happens."""
    params = [p.copy() for p in made()._parameters()] + [np.ones(2, np.float32)]
    grads = [*poisoned(np.nan), None]
    options = {} if backend is None else {"backend": backend}
    if unbound:
        opt = case.optimizer(**case.options, **options)
        info = opt.update(params, grads, max_norm=1.0)
    else:
        info = case.make(params, **options).step(grads, max_norm=1.0)
    assert info.applied
    assert np.isnan(info.grad_norm)
    assert all(np.isnan(p).all() for p in params[:-1])
    assert (params[-1] == 1).all()


@pytest.mark.parametrize("backend", [None, "reference"])
def test_infinite_norms_and_infinite_bounds(backend: str | None) -> None:
    options = {} if backend is None else {"backend": backend}
    p, q = np.ones(2), np.ones(3)
    info = fs.SGD([p, q], lr=1.0, **options).step(
        [np.full(2, 2.0), np.array([0.0, np.inf, 1.0])], max_norm=1.0
    )
    assert info.grad_norm == np.inf
    assert p.tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(q, [1.0, np.nan, 1.0])
    for bad in BAD:  # measured alone: nothing is scaled
        p, q = np.ones(2), np.ones(1)
        grads = [np.full(2, 2.0), np.array([bad])]
        info = fs.SGD([p, q], lr=1.0, **options).step(grads, max_norm=np.inf)
        assert info.applied
        assert not np.isfinite(info.grad_norm)
        assert p.tolist() == [-1.0, -1.0]
