"""Scalars that options make at their edges: the same bits from core and reference, and finite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array, assert_same_bits

GRADS = [np.array(g) for g in ([1.0, -2.0], [0.5, 3.0], [-4.0, 1e-3], [2.0, 2.0], [0.0, -1.0])]


def run(cls: type[fs.Optimizer], backend: str, steps: list[dict[str, Any]]) -> Iterator[Array]:
    """Yield the parameter and the state after each step; each begins with a change of options."""
    p = np.array([1.0, -2.0])
    opt = cls([p], backend=backend)
    for step, g in zip(steps, GRADS, strict=False):
        opt.param_groups[0].update(step)
        opt.step([g])
        yield p.copy()
        yield from (a for name, a in opt.state[0].items() if name != "step")


NOTHING: list[dict[str, Any]] = [{}, {}, {}, {}]
CHANGES: list[tuple[type[fs.Optimizer], list[dict[str, Any]]]] = [
    (fs.Adan, [{"lr": 0.1}, {"weight_decay": 0.5}, {"weight_decay": 0.2}, {"lr": 0.2}, {}]),
    (fs.Adan, [{"weight_decay": 0.5}, {"no_prox": True}, {"weight_decay": 0.0}, {}]),
    (fs.Adan, [{"weight_decay": 0.5}, {"decoupled_weight_decay": False}, {"weight_decay": 0.1}]),
    (fs.Adan, [{"betas": (0.0, 0.0, 0.0)}, {}, {"betas": np.array([0.9, 0.8, 0.7])}, {}]),
    (fs.ADOPT, [{"weight_decay": 0.5, "decoupled_weight_decay": True}, {}, {"weight_decay": 0.2}]),
    (fs.ADOPT, [{}, {"clip_exponent": None}, {"clip_exponent": 0.25}, {"clip_exponent": 0.0}, {}]),
    (fs.ADOPT, [{}, {}, {"clip_exponent": 1e300}, {"clip_exponent": 1e-300}, {}]),
    (fs.AdEMAMix, [{"t_alpha": 3}, {"t_alpha": 1e-300}, {"t_alpha": 1e300}, {"t_alpha": None}]),
    *(
        (fs.AdEMAMix, [{"betas": betas, "t_beta3": length}, *NOTHING])
        for betas in [(0.9, 0.99, 0.999), (0.0, 0.5, 0.9), (0.9, 0.5, 0.3), (0.9, 0.5, 0.9)]
        for length in [1e-300, 1, 3, 4.5, 1e300]
    ),
    (fs.AdEMAMix, [{"betas": (0.0, 0.0, 0.0), "t_beta3": 3}, *NOTHING]),
    (fs.AdEMAMix, [{"betas": (0.9, 0.5, 0.0), "t_beta3": 3}, *NOTHING]),
]


@pytest.mark.parametrize(("cls", "steps"), CHANGES)
def test_options_that_change(cls: type[fs.Optimizer], steps: list[dict[str, Any]]) -> None:
    one, other = (list(run(cls, backend, steps)) for backend in ("native", "reference"))
    for found, wanted in zip(one, other, strict=True):
        assert_same_bits(found, wanted)
        assert np.isfinite(found).all()


def test_decay_that_is_the_rules_own() -> None:
    """Adan's divides after the step, once; ADOPT has none in its first step."""
    p, q = np.array([1.0]), np.array([1.0])
    fs.Adan([p], lr=0.5).step([np.array([2.0])])
    fs.Adan([q], lr=0.5, weight_decay=2.0).step([np.array([2.0])])
    assert q == p / 2
    p[:] = 3.0
    opt = fs.ADOPT([p], lr=0.5, weight_decay=1.0, decoupled_weight_decay=True)
    opt.step([np.array([2.0])])
    assert p == 3
    opt.step([np.array([0.0])])
    assert p == 1.5


def test_a_rate_that_grows_ends_where_it_should() -> None:
    """Half-lives of 1 and 2: 1.5 after half of the steps, so a rate of 2**(-1/1.5)."""
    p = np.zeros(1)
    opt = fs.AdEMAMix([p], betas=(0.5, 0.9, 0.5**0.5), t_beta3=2)
    opt.step([np.ones(1)])
    assert np.allclose(opt.state[0]["exp_avg_slow"], 1 - 2 ** (-1 / 1.5), rtol=1e-15)
