"""Paths down a valley that lies askew: each optimizer at its best learning rate, and all at one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import ferrostep as fs
from ferrostep.demo.pictures import COLOURS, figure_of

Points = NDArray[np.float64]

STEPS = 60
#: All at one.
COMMON = 0.1
#: Eight to a decade.
RATES = [float(f"{10 ** (i / 8):.2g}") for i in range(-24, 17)]
START = np.array([-8.0, -1.0])
ANGLE = np.radians(30)
ALONG = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
#: ``p @ BOWL @ p / 2``: 20 times as steep across as along. Not along the axes: rates of its own for
#: each coordinate would make it a round bowl there.
BOWL = ALONG @ np.diag([0.1, 2.0]) @ ALONG.T


@dataclass(frozen=True)
class Walker:
    name: str
    make: Callable[[Points], fs.Optimizer]
    schedule: bool = False


WALKERS = [
    Walker("SGD", lambda p: fs.SGD(p, lr=COMMON)),
    Walker("Momentum", lambda p: fs.Momentum(p, lr=COMMON, momentum=0.8)),
    Walker("Nesterov", lambda p: fs.Momentum(p, lr=COMMON, momentum=0.8, nesterov=True)),
    Walker("Adaptive gains", lambda p: fs.AdaptiveGains(p, lr=COMMON)),
    Walker("Rprop", lambda p: fs.Rprop(p, lr=COMMON)),
    Walker("AdaDelta", lambda p: fs.Adadelta(p, lr=COMMON)),
    Walker("RMSProp", lambda p: fs.RMSprop(p, lr=COMMON, alpha=0.9)),
    Walker("Adam, uncorrected", lambda p: fs.Adam(p, lr=COMMON, bias_correction=False)),
    Walker("Adam", lambda p: fs.Adam(p, lr=COMMON)),
    Walker("Momentum + schedule", lambda p: fs.Momentum(p, lr=COMMON, momentum=0.8), True),
]


def height(p: Points) -> float:
    return float(p @ BOWL @ p / 2)


def walk(walker: Walker, rate: float) -> Points:
    """Return where each step leads, the start first."""
    point = START.copy()
    opt = walker.make(point)
    opt.param_groups[0]["lr"] = rate
    schedule = fs.schedulers.CosineAnnealingLR(opt, T_max=STEPS) if walker.schedule else None
    track = [point.copy()]
    with np.errstate(over="ignore", invalid="ignore"):  # at some rates they leave the valley
        for _ in range(STEPS):
            opt.step(BOWL @ point)
            track.append(point.copy())
            if schedule is not None:
                schedule.step()
    return np.array(track)


def best_rate(walker: Walker) -> float:
    """Return the learning rate after whose last ten steps the walker is lowest."""

    def end(rate: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            heights = [height(p) for p in walk(walker, rate)[-10:]]
        return max(heights) if np.isfinite(heights).all() else np.inf

    return min(RATES, key=end)


def _draw(axes: Axes, walker: Walker, rate: float, colour: str) -> None:
    x, y = np.meshgrid(np.linspace(-10, 4, 200), np.linspace(-5, 4, 150))
    grid = np.stack([x, y], axis=-1)
    heights = np.einsum("...i,ij,...j->...", grid, BOWL, grid) / 2
    axes.contour(x, y, heights, levels=np.geomspace(0.05, 60, 10), colors="#cccccc", linewidths=0.7)
    track = walk(walker, rate)
    track = track[np.isfinite(track).all(axis=1)]
    axes.plot(*track.T, "-", color=colour, linewidth=0.8)
    when = np.arange(len(track))
    axes.scatter(track[:, 0], track[:, 1], 7, when, cmap="Greys", zorder=3, vmin=-20, vmax=STEPS)
    axes.plot(0, 0, "*", color="black", markersize=8)
    axes.plot(*START, "s", color="black", markersize=5)
    axes.set_title(f"{walker.name}, {rate:g}", fontsize=9, loc="left", pad=2)
    axes.set(xlim=(-10, 4), ylim=(-5, 4), aspect="equal")
    axes.tick_params(labelsize=6)


def valley(path: Path) -> Path:
    """Sixty steps of each, twice."""
    figure = figure_of(11, 10.4)
    halves = figure.subplots(5, 4, sharex=True, sharey=True)
    for i, (walker, colour) in enumerate(zip(WALKERS, COLOURS, strict=True)):
        row, half = i % 5, 2 * (i // 5)
        _draw(halves[row, half], walker, best_rate(walker), colour)
        _draw(halves[row, half + 1], walker, COMMON, colour)
    figure.suptitle(
        f"{STEPS} steps from the square towards the star, darker as they go on: each optimizer at "
        f"its best\nlearning rate (left) and at {COMMON:g} (right), which the titles name"
    )
    figure.savefig(path, dpi=110)
    return path
