"""The schedulers, each with what it should do: the one table that their general tests run over."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import ferrostep as fs
from ferrostep import schedulers as sched

#: The rates of the two groups that `optimizer` makes.
RATES = (0.1, 0.02)


def optimizer() -> fs.Optimizer:
    groups = [{"params": [np.zeros(2)], "lr": RATES[0]}, {"params": [np.zeros(1)], "lr": RATES[1]}]
    return fs.SGD(groups, momentum=0.9)


def stepped() -> fs.Optimizer:
    """The same after a step, so that schedulers may be stepped alone."""
    opt = optimizer()
    opt.step([np.ones(2), np.ones(1)])
    return opt


class Decay:
    """A callable object, whose attributes are state."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: int) -> float:
        return float(self.rate**x)


class Schedule(NamedTuple):
    """What makes it on an optimizer, and what it multiplies the first rates by at an epoch."""

    make: Callable[[Any], sched.LRScheduler]
    form: Callable[[int], float]


def restarts(t: int) -> float:
    """Cycles of 3, 6, 12, ... epochs."""
    length = 3
    while t >= length:
        t, length = t - length, 2 * length
    return (1 + math.cos(math.pi * t / length)) / 2


def triangle(t: int, up: int, down: int) -> float:
    t %= up + down
    return t / up if t <= up else (up + down - t) / down


def falling(decay: str, x: float) -> float:
    return {
        "linear": 1 - x,
        "1-sqrt": 1 - x**0.5,
        "cosine": (1 + math.cos(math.pi * x)) / 2,
        "power": 1 - x**3.0,
    }[decay]


def wsd(decay: Any) -> Schedule:
    def form(t: int) -> float:
        down = 0.1 + 0.9 * falling(decay, min(1, max(0, t - 18) / 8))
        return 0.2 + 0.8 * t / 5 if t < 5 else down

    return Schedule(
        lambda o: sched.WarmupStableDecayLR(
            o, 26, 5, 8, decay, power=3.0, start_factor=0.2, end_factor=0.1
        ),
        form,
    )


def cosine_after(t: int) -> float:
    x = (min(t, 24) - 4) / 20
    return t / 4 if t < 4 else 0.05 + 0.95 * (1 + math.cos(math.pi * x)) / 2


SCHEDULES: dict[str, Schedule] = {
    "step": Schedule(
        lambda o: sched.StepLR(o, step_size=10, gamma=0.5), lambda t: 0.5 ** (t // 10)
    ),
    "multi step": Schedule(
        lambda o: sched.MultiStepLR(o, [5, 8, 8], gamma=0.1),
        lambda t: 0.1 ** sum(t >= m for m in (5, 8, 8)),
    ),
    "exponential": Schedule(lambda o: sched.ExponentialLR(o, gamma=0.9), lambda t: 0.9**t),
    "linear": Schedule(
        lambda o: sched.LinearLR(o, 0.25, 1.0, total_iters=8),
        lambda t: 0.25 + 0.75 * min(t, 8) / 8,
    ),
    "linear from 0": Schedule(
        lambda o: sched.LinearLR(o, 0.0, 1.0, total_iters=8), lambda t: min(t, 8) / 8
    ),
    "linear from 0 to 0": Schedule(lambda o: sched.LinearLR(o, 0.0, 0.0), lambda t: 0.0),
    "constant": Schedule(
        lambda o: sched.ConstantLR(o, 0.25, total_iters=6), lambda t: 0.25 if t < 6 else 1.0
    ),
    "constant 0": Schedule(
        lambda o: sched.ConstantLR(o, 0.0, total_iters=6), lambda t: float(t >= 6)
    ),
    "polynomial": Schedule(
        lambda o: sched.PolynomialLR(o, total_iters=30, power=1.5),
        lambda t: (1 - min(t, 30) / 30) ** 1.5,
    ),
    "cosine": Schedule(
        lambda o: sched.CosineAnnealingLR(o, T_max=40),
        lambda t: 0.5 * (1 + math.cos(math.pi * t / 40)),
    ),
    "warm restarts": Schedule(
        lambda o: sched.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        restarts,
    ),
    "lambda": Schedule(lambda o: sched.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "lambda of an object": Schedule(lambda o: sched.LambdaLR(o, Decay(0.8)), lambda t: 0.8**t),
    "multiplicative": Schedule(
        lambda o: sched.MultiplicativeLR(o, lambda t: t / (1 + t)),
        lambda t: 1 / (1 + t),
    ),
    "cyclic": Schedule(
        lambda o: sched.CyclicLR(o, [0.1, 0.02], [0.5, 0.1], 4, 6),
        lambda t: 1 + 4 * triangle(t, 4, 6),
    ),
    "cyclic, halved": Schedule(
        lambda o: sched.CyclicLR(o, [0.1, 0.02], [0.5, 0.1], 4, mode="triangular2"),
        lambda t: 1 + 4 * triangle(t, 4, 4) / 2 ** (t // 8),
    ),
    "cyclic, decayed": Schedule(
        lambda o: sched.CyclicLR(o, [0.1, 0.02], [0.5, 0.1], 4, mode="exp_range", gamma=0.9),
        lambda t: 1 + 4 * triangle(t, 4, 4) * 0.9**t,
    ),
    "cyclic by a function": Schedule(
        lambda o: sched.CyclicLR(o, [0.1, 0.02], [0.5, 0.1], 4, scale_fn=Decay(0.7)),
        lambda t: 1 + 4 * triangle(t, 4, 4) * 0.7 ** (1 + t // 8),
    ),
    "swa": Schedule(
        lambda o: sched.SWALR(o, [0.05, 0.01], 8),
        lambda t: 0.75 + 0.25 * math.cos(math.pi * min(t, 8) / 8),
    ),
    "swa, linear": Schedule(
        lambda o: sched.SWALR(o, [0.05, 0.01], 8, "linear"), lambda t: 1 - 0.5 * min(t, 8) / 8
    ),
    **{f"wsd, {decay}": wsd(decay) for decay in ("linear", "1-sqrt", "cosine", "power")},
    "inverse sqrt": Schedule(
        lambda o: sched.InverseSqrtLR(o, 4), lambda t: t / 4 if t < 4 else (4 / t) ** 0.5
    ),
    "inverse sqrt, slow": Schedule(
        lambda o: sched.InverseSqrtLR(o, 0), lambda t: (1 + t / 10_000) ** -0.5
    ),
    "noam": Schedule(
        lambda o: sched.NoamLR(o, 512, 10),
        lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 10**-1.5),
    ),
    "warm-up and cosine": Schedule(
        lambda o: sched.WarmupCosineLR(o, 24, 4, end_factor=0.05), cosine_after
    ),
    "chain": Schedule(
        lambda o: sched.ChainedScheduler([sched.LinearLR(o, 0.5), sched.ExponentialLR(o, 0.9)]),
        lambda t: (0.5 + 0.5 * min(t, 5) / 5) * 0.9**t,
    ),
    "sequence": Schedule(
        lambda o: sched.SequentialLR(
            o, [sched.LinearLR(o, 0.5, total_iters=4), sched.MultiStepLR(o, [3])], [4]
        ),
        lambda t: 0.5 + 0.5 * t / 4 if t < 4 else 0.1 ** (t >= 7),
    ),
    "sequence of chain and sequence": Schedule(
        lambda o: sched.SequentialLR(
            o,
            [
                sched.ChainedScheduler([sched.ConstantLR(o, 0.5, 3), sched.ExponentialLR(o, 0.9)]),
                sched.SequentialLR(
                    o, [sched.CosineAnnealingLR(o, 10), sched.ExponentialLR(o, 0.8)], [6]
                ),
                sched.ChainedScheduler([sched.ConstantLR(o, 0.5, 3), sched.ExponentialLR(o, 0.7)]),
            ],
            [5, 20],
        ),
        lambda t: (
            (0.5 if t < 3 else 1) * 0.9**t
            if t < 5
            else 0.5 * (1 + math.cos(math.pi * (t - 5) / 10))
            if t < 11
            else 0.8 ** (t - 11)
            if t < 20
            else (0.5 if t < 23 else 1) * 0.7 ** (t - 20)
        ),
    ),
}
