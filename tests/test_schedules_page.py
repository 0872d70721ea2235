"""The tables of docs/schedules.md: what they call ours has the numbers of Keras and optax.

Beside formulas that are written down here, and the libraries themselves where they are installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from math import ceil, cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

PAGE = Path(__file__).parent.parent / "docs" / "schedules.md"
#: What the page calls by these letters.
B, E, T, W, a, p, r = 0.1, 0.02, 12, 5, 0.1, 2.0, 0.6
GIVEN = {"B": B, "E": E, "T": T, "W": W, "a": a, "p": p, "r": r}
STEPS = 40
Form = Callable[[int], float]


def rows(library: str) -> dict[str, str]:
    """Theirs and ours of each row of a table."""
    text = PAGE.read_text().split(f"| {library} | here |\n|---|---|\n")[1].split("\n\n")[0]
    cells = (line.split(" | ") for line in text.splitlines())
    return {code(theirs): code(ours) for theirs, ours in cells}


def code(cell: str) -> str:
    (found,) = re.findall("`(.*)`", cell)
    return str(found)


KERAS, OPTAX = rows("Keras"), rows("optax")


def polynomial(end: float, power: float) -> Form:
    return lambda t: (B - end) * (1 - min(t, T) / T) ** power + end


def cosine(low: float, start: int = 0, length: int = T, high: float = B) -> Form:
    return lambda t: low + (high - low) * (1 + cos(pi * min(t - start, length) / length)) / 2


def after(warm_up: int, form: Form) -> Form:
    return lambda t: B * t / warm_up if t < warm_up else form(t)


def restarts(low: float, factor: float) -> Form:
    def form(t: int) -> float:
        ends = [T, 3 * T, 7 * T]
        i = sum(t >= end for end in ends)
        start = [0, *ends][i]
        return cosine(low, start, T * 2**i, B * factor**i)(t)

    return form


def straight(*points: tuple[int, float]) -> Form:
    def form(t: int) -> float:
        for (t0, y0), (t1, y1) in pairwise(points):
            if t <= t1:
                return y0 + (y1 - y0) * (t - t0) / (t1 - t0)
        return points[-1][1]

    return form


def curved(*points: tuple[int, float]) -> Form:
    def form(t: int) -> float:
        for (t0, y0), (t1, y1) in pairwise(points):
            if t <= t1:
                return y1 + (y0 - y1) * (1 + cos(pi * (t - t0) / (t1 - t0))) / 2
        return points[-1][1]

    return form


one_cycle = curved((0, B / 25), (3, B), (T, B / 25e4))
FORMULAS: dict[str, Form] = {
    "ExponentialDecay(B, T, r)": lambda t: B * r ** (t / T),
    "ExponentialDecay(B, T, r, staircase=True)": lambda t: B * r ** (t // T),
    "InverseTimeDecay(B, T, r)": lambda t: B / (1 + r * t / T),
    "InverseTimeDecay(B, T, r, staircase=True)": lambda t: B / (1 + r * (t // T)),
    "PolynomialDecay(B, T, E)": polynomial(E, 1.0),
    "PolynomialDecay(B, T, 0.0, p)": polynomial(0.0, p),
    "PolynomialDecay(B, T, E, p)": polynomial(E, p),
    "PolynomialDecay(B, T, 0.0, p, cycle=True)": lambda t: (
        B * (1 - t / (T * max(1, ceil(t / T)))) ** p
    ),
    "PiecewiseConstantDecay([4, 9], [B, B * r, B * r * r])": lambda t: B * r ** ((t > 4) + (t > 9)),
    "CosineDecay(B, T, a)": cosine(a * B),
    "CosineDecay(0.0, T, a, warmup_target=B, warmup_steps=W)": after(W, cosine(a * B, W)),
    "CosineDecayRestarts(B, T, alpha=a)": restarts(a * B, 1.0),
    "CosineDecayRestarts(B, T, m_mul=r)": restarts(0.0, r),
    "constant_schedule(B)": lambda t: B,
    "linear_schedule(B, E, T)": straight((0, B), (T, E)),
    "linear_schedule(0.0, B, T)": straight((0, 0.0), (T, B)),
    "polynomial_schedule(B, 0.0, p, T)": polynomial(0.0, p),
    "polynomial_schedule(B, E, p, T)": polynomial(E, p),
    "exponential_decay(B, T, r)": lambda t: B * r ** (t / T),
    "exponential_decay(B, T, r, staircase=True)": lambda t: B * r ** (t // T),
    "exponential_decay(B, T, r, end_value=E)": lambda t: max(B * r ** (t / T), E),
    "cosine_decay_schedule(B, T, a)": cosine(a * B),
    "cosine_decay_schedule(B, T, a, p)": lambda t: B * (a + (1 - a) * cosine(0, high=1)(t) ** p),
    "warmup_constant_schedule(0.0, B, W)": straight((0, 0.0), (W, B)),
    "warmup_cosine_decay_schedule(0.0, B, W, T, E)": after(W, cosine(E, W, T - W)),
    "warmup_exponential_decay_schedule(0.0, B, W, T, r)": after(
        W, lambda t: B * r ** ((t - W) / T)
    ),
    "piecewise_constant_schedule(B, {4: r, 9: r})": lambda t: B * r ** ((t >= 4) + (t >= 9)),
    'piecewise_interpolate_schedule("linear", B, {T: r})': straight((0, B), (T, B * r)),
    "cosine_onecycle_schedule(T, B)": one_cycle,
    "linear_onecycle_schedule(T, B)": straight((0, B / 25), (3, B), (10, B / 25), (T, B / 25e4)),
    "join_schedules([linear_schedule(0.0, B, W), exponential_decay(B, T, r)], [W])": after(
        W, lambda t: B * r ** ((t - W) / T)
    ),
    "sgdr_schedule([dict(init_value=0.0, peak_value=B, warmup_steps=W, decay_steps=T)] * 2)": (
        lambda t: after(W, cosine(0.0, W, T - W))(t if t < T else t - T)
    ),
}


def steps(theirs: str) -> int:
    """A cycle of torch's ends."""
    return T + 1 if "onecycle" in theirs else STEPS


def rates(ours: str, count: int) -> list[float]:
    opt = fs.SGD([np.zeros(1)], lr=B)
    names = {name: getattr(fs.schedulers, name) for name in fs.schedulers.__all__}
    schedule = eval(
        ours, {**names, **GIVEN, "opt": opt, "np": np, "ceil": ceil, "cos": cos, "pi": pi}
    )
    found = []
    for _ in range(count):
        found += schedule.get_last_lr()
        opt.step([np.zeros(1)])
        schedule.step()
    return found


@pytest.mark.parametrize("theirs", KERAS | OPTAX)
def test_the_formula(theirs: str) -> None:
    count = steps(theirs)
    wanted = [FORMULAS[theirs](t) for t in range(count)]
    ours = (KERAS | OPTAX)[theirs]
    assert rates(ours, count) == pytest.approx(wanted, rel=1e-12, abs=1e-17)


def test_every_row_has_a_formula() -> None:
    assert FORMULAS.keys() == (KERAS | OPTAX).keys()


@pytest.mark.parametrize("theirs", KERAS)
def test_keras_itself(theirs: str) -> None:
    schedules = pytest.importorskip("keras").optimizers.schedules
    schedule = eval(theirs, {**vars(schedules), **GIVEN})
    wanted = [float(schedule(t)) for t in range(STEPS)]
    # It computes in float32, whose cosine leaves less than 1e-7 of the first rate for 0.
    assert rates(KERAS[theirs], STEPS) == pytest.approx(wanted, rel=2e-6, abs=1e-7 * B)


@pytest.mark.parametrize("theirs", OPTAX)
def test_optax_itself(theirs: str) -> None:
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        schedule = eval(theirs, {**vars(optax.schedules), **GIVEN})
        wanted = [float(schedule(t)) for t in range(steps(theirs))]
    assert rates(OPTAX[theirs], steps(theirs)) == pytest.approx(wanted, rel=1e-12, abs=1e-17)


def test_every_schedule_of_theirs_has_a_row() -> None:
    schedules = pytest.importorskip("keras").optimizers.schedules
    names = {name for name, found in vars(schedules).items() if isinstance(found, type)}
    assert names - {"LearningRateSchedule"} == {theirs.partition("(")[0] for theirs in KERAS}


def test_every_schedule_of_optax_has_a_row() -> None:
    optax = pytest.importorskip("optax")
    found: Any = {
        name for name in vars(optax.schedules) if re.search(r"^[a-z].*(_schedules?|_decay)$", name)
    }
    assert found == {theirs.partition("(")[0] for theirs in OPTAX}
