"""The demo's pictures of its trainings: loss over epochs, and over learning rates."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ferrostep.demo.train import TARGET, Run
from ferrostep.demo.tuning import SEEDS, Tuned, conclusion

# Okabe & Ito's colours, which the colour-blind tell apart too, then two more; with the styles,
# ten lines differ in two ways.
COLOURS = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999933"]
COLOURS += ["#882255", "#44AA99"]
#: What diverges is drawn there.
HIGHEST = 10.0
STYLES = ["-", "--", "-.", ":"]


def figure_of(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def losses(runs: list[Run], path: Path) -> Path:
    """Training loss over epochs, logarithmic."""
    figure = figure_of(11, 6.2)
    axes = figure.subplots()
    for run, colour, style in zip(runs, COLOURS, cycle(STYLES), strict=False):
        epochs = range(1, len(run.losses) + 1)
        axes.plot(epochs, run.losses, style, color=colour, label=run.label, linewidth=1.8)
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss (cross-entropy)")
    axes.set_title("Handwritten digits: the lecture's optimizers, each at the rate in brackets")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=120)
    return path


def tuning(all_of_them: list[Tuned], path: Path, epochs: int) -> Path:
    """Final loss over the learning rate: how near to its best rate each optimizer has to be."""
    figure = figure_of(11, 6.6)
    axes = figure.subplots()
    for tuned, colour, style in zip(all_of_them, COLOURS, cycle(STYLES), strict=False):
        rates = [trained.rate for trained in tuned.trained]
        ends = np.minimum([trained.losses for trained in tuned.trained], HIGHEST)
        label = f"{tuned.name}: best {tuned.best.rate:g}, {tuned.decades:.1f} decades"
        axes.plot(rates, np.median(ends, axis=1), style, color=colour, label=label, linewidth=1.8)
        axes.fill_between(rates, ends.min(axis=1), ends.max(axis=1), color=colour, alpha=0.12, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="training loss at the end")
    axes.set_title(
        f"Handwritten digits, {epochs} epochs, {len(SEEDS)} seeds (median, and all): at the top "
        f"they diverge.\nDecades: of rates at which {TARGET:.0%} of the test digits are read. "
        "Rprop makes one step an epoch.",
        fontsize=10,
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    figure.supxlabel(fill(conclusion(all_of_them), 120), fontsize=10)
    figure.savefig(path, dpi=120)
    return path
