"""The demo's two pictures: loss curves, and paths over a valley."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import ferrostep as fs
from ferrostep.demo.train import Run

# Okabe & Ito's colours, which the colour-blind tell apart too, then two more; with the styles,
# ten lines differ in two ways.
COLOURS = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999933"]
COLOURS += ["#882255", "#44AA99"]
STYLES = ["-", "--", "-.", ":"]


def _figure() -> Figure:
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def losses(runs: list[Run], path: Path) -> Path:
    """Training loss over epochs, logarithmic."""
    figure = _figure()
    axes = figure.subplots()
    for run, colour, style in zip(runs, COLOURS, cycle(STYLES), strict=False):
        epochs = range(1, len(run.losses) + 1)
        axes.plot(epochs, run.losses, style, color=colour, label=run.name, linewidth=1.8)
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss (cross-entropy)")
    axes.set_title("Handwritten digits: the lecture's optimizers")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=120)
    return path


def valley(path: Path) -> Path:
    """Sixty steps of each down an elongated valley, x**2/20 + y**2."""
    contestants: list[tuple[str, type[fs.Optimizer], dict[str, object]]] = [
        ("SGD", fs.SGD, {"lr": 0.92}),
        ("Momentum", fs.Momentum, {"lr": 0.15, "momentum": 0.8}),
        ("Nesterov", fs.Momentum, {"lr": 0.15, "momentum": 0.8, "nesterov": True}),
        ("Adaptive gains", fs.AdaptiveGains, {"lr": 0.1}),
        ("Rprop", fs.Rprop, {"lr": 0.1}),
        ("AdaDelta", fs.Adadelta, {"lr": 30.0}),
        ("RMSProp", fs.RMSprop, {"lr": 0.2, "alpha": 0.9}),
        ("Adam, uncorrected", fs.Adam, {"lr": 0.1, "bias_correction": False}),
        ("Adam", fs.Adam, {"lr": 0.4}),
        ("Momentum + schedule", fs.Momentum, {"lr": 0.4, "momentum": 0.8}),
    ]
    slopes = np.array([0.1, 2.0])
    x, y = np.meshgrid(np.linspace(-11, 4, 300), np.linspace(-3, 3, 200))
    figure = _figure()
    grid = figure.subplots(5, 2, sharex=True, sharey=True)
    for axes, (name, cls, options), colour in zip(grid.flat, contestants, COLOURS, strict=True):
        point = np.array([-10.0, 2.2])
        opt = cls(point, **options)
        schedule = fs.schedulers.CosineAnnealingLR(opt, T_max=60) if "schedule" in name else None
        track = [point.copy()]
        for _ in range(60):
            opt.step(slopes * point)
            track.append(point.copy())
            if schedule is not None:
                schedule.step()
        axes.contour(x, y, x**2 / 20 + y**2, levels=12, colors="#cccccc", linewidths=0.7)
        axes.plot(*np.transpose(track), "-o", color=colour, markersize=2.2, linewidth=1.1)
        axes.plot(*track[0], "s", color="black", markersize=6)
        axes.plot(0, 0, "*", color="black", markersize=9)
        axes.plot(*track[-1], "o", color="white", markeredgecolor="black", markersize=6)
        axes.set_title(name, fontsize=10, loc="left", pad=3)
        axes.set(xlim=(-11, 4), ylim=(-3, 3))
    figure.suptitle(
        "Sixty steps down an elongated valley, from square to circle; the star is the minimum"
    )
    figure.savefig(path, dpi=120)
    return path
