"""ReduceLROnPlateau and OneCycleLR against what their documentation says, written down anew."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched


def rate_and(**options: Any) -> tuple[fs.Optimizer, sched.ReduceLROnPlateau]:
    opt = fs.SGD([np.zeros(2)], lr=1.0)
    return opt, sched.ReduceLROnPlateau(opt, factor=0.5, patience=0, **options)


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "better", "no_better"),
    [
        ("min", "rel", 8.9, 9.1),  # below 10 * (1 - 0.1)
        ("min", "abs", 9.8, 9.95),  # below 10 - 0.1
        ("max", "rel", 11.1, 10.9),
        ("max", "abs", 10.2, 10.05),
    ],
)
def test_what_counts_as_better(
    mode: str, threshold_mode: str, better: float, no_better: float
) -> None:
    for metric, wanted in [(better, 1.0), (no_better, 0.5), (math.nan, 0.5)]:
        opt, schedule = rate_and(mode=mode, threshold=0.1, threshold_mode=threshold_mode)
        schedule.step(10.0)
        schedule.step(np.float32(metric))
        assert opt.param_groups[0]["lr"] == wanted
        assert schedule.get_last_lr() == [wanted]


def test_cooldown_lets_bad_epochs_pass() -> None:
    opt, schedule = rate_and(cooldown=2)
    rates = []
    for _ in range(8):
        schedule.step(1.0)
        rates.append(opt.param_groups[0]["lr"])
    assert rates == [1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_floors_by_group_and_changes_too_small() -> None:
    opt = fs.SGD([{"params": [np.zeros(1)]}, {"params": [np.zeros(1)]}], lr=1.0)
    schedule = sched.ReduceLROnPlateau(opt, factor=0.5, patience=0, min_lr=[0.3, 0.0], eps=0.2)
    for _ in range(4):
        schedule.step(1.0)
    # The first goes 1, 0.5, and 0.3 is too near; the second stays where half of it is 0.125.
    assert [group["lr"] for group in opt.param_groups] == [0.5, 0.25]


def cycle(t: int, total: int, pct: float, anneal: str, three_phase: bool) -> tuple[float, float]:
    """The rate between 1/25, 1 and 1/250,000, and the momentum between 0.95 and 0.85."""
    low, high, last = 1 / 25, 1.0, 1 / 25 / 1e4
    peak = pct * total - 1
    phases = [(0.0, peak, (low, high), (0.95, 0.85))]
    if three_phase:
        phases.append((peak, 2 * peak, (high, low), (0.85, 0.95)))
        phases.append((2 * peak, total - 1, (low, last), (0.95, 0.95)))
    else:
        phases.append((peak, total - 1, (high, last), (0.85, 0.95)))
    begin, end, *ranges = next(phase for phase in phases if t <= phase[1])
    done = (t - begin) / (end - begin)
    weight = (1 - math.cos(math.pi * done)) / 2 if anneal == "cos" else done
    lr, momentum = (a + (b - a) * weight for a, b in ranges)
    return lr, momentum


@pytest.mark.parametrize("cls", [fs.SGD, fs.Adam])
@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle(cls: Any, anneal: str, three_phase: bool) -> None:
    opt = cls([np.zeros(2)], **({"momentum": 0.9} if cls is fs.SGD else {}))
    schedule = sched.OneCycleLR(
        opt,
        max_lr=1.0,
        total_steps=20,
        pct_start=0.35,
        anneal_strategy=anneal,
        three_phase=three_phase,
    )
    for t in range(20):
        group = opt.param_groups[0]
        momentum = group["momentum"] if cls is fs.SGD else group["betas"][0]
        assert (group["lr"], momentum) == pytest.approx(
            cycle(t, 20, 0.35, anneal, three_phase), rel=1e-12
        )
        opt.step([np.ones(2)])  # the options that it sets are ones that the optimizer takes
        schedule.step()


def test_a_schedule_trains_as_the_rates_set_by_hand() -> None:
    rng = np.random.default_rng(0)
    p = rng.standard_normal(33).astype(np.float32)
    q = p.copy()
    opt, by_hand = fs.Adam([p], lr=0.1), fs.Adam([q], lr=0.1)
    schedule = sched.CosineAnnealingLR(opt, T_max=6)
    for _ in range(9):
        by_hand.param_groups[0]["lr"] = schedule.get_last_lr()[0]
        g = rng.standard_normal(33).astype(np.float32)
        opt.step([g])
        by_hand.step([g])
        schedule.step()
    assert p.tobytes() == q.tobytes()
