"""The two pictures of docs/benchmarks.md."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.peers import OWN, PEERS
from benchmarks.results import CaseFound, Run
from benchmarks.tables import shares

mpl.rcParams.update({"svg.hashsalt": "ferrostep", "svg.fonttype": "none", "font.size": 9})


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _adam(run: Run) -> list[CaseFound]:
    """Adam's cases of one and of ten tensors, by size."""
    found = (c for c in run.cases if c.name.startswith(("Adam 1 x", "Adam 10 x")))
    return sorted(found, key=lambda case: case.values)


def _apart(heights: list[float], gap: float) -> list[float]:
    """Return heights at least `gap` from each other, in the same order and as near as can be."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    clusters: list[tuple[float, list[int]]] = []  # each with its middle
    for i in order:
        clusters.append((heights[i], [i]))
        while len(clusters) > 1:
            (low, lower), (high, upper) = clusters[-2:]
            if high - low >= gap * (len(lower) + len(upper)) / 2:
                break
            members = lower + upper
            middle = sum(heights[j] for j in members) / len(members)
            clusters[-2:] = [(middle, members)]
    places = [0.0] * len(heights)
    for middle, members in clusters:
        for place, i in enumerate(members):
            places[i] = middle + gap * (place - (len(members) - 1) / 2)
    return places


def time_per_value(run: Run, path: Path) -> None:
    """Nanoseconds per parameter over size, a line for everyone, named where it ends."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for label in ("ferrostep", "floor", *(label for label in PEERS if label not in OWN)):
        found = [(c.values, m / c.values * 1e9) for c in _adam(run) if (m := c.median(label))]
        if found:
            lines[label] = found
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    colors = mpl.colormaps["tab10"]
    ends = _apart([math.log10(points[-1][1]) for points in lines.values()], 0.17)
    for number, ((label, points), end) in enumerate(zip(lines.items(), ends, strict=True)):
        sizes, times = zip(*points, strict=True)
        own = label in ("ferrostep", "floor")
        color = "black" if own else colors(number - 2)
        style = {"floor": ":", "ferrostep": "o-"}.get(label, "o-")
        axes.plot(sizes, times, style, ms=3, lw=2.5 if label == "ferrostep" else 1, color=color)
        axes.annotate(
            label,
            (sizes[-1], times[-1]),
            (1.6 * sizes[-1], 10**end),
            color=color,
            va="center",
            weight="bold" if label == "ferrostep" else "normal",
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": color},
            annotation_clip=False,
        )
    axes.set(xscale="log", yscale="log", xlabel="parameters", ylabel="ns per parameter and step")
    axes.set_title("Adam, float32", loc="left")
    axes.grid(alpha=0.3)
    _bare(axes)
    _save(figure, path)


def share_of_floor(run: Run, path: Path) -> None:
    """How much of the memory's speed each optimizer reaches on all threads."""
    rows = [row for row in shares(run) if row.threads == run.machine["threads"]]
    names = sorted({row.optimizer for row in rows}, key=str.casefold)
    figure = Figure(figsize=(7.5, 1 + 0.3 * max(1, len(names))), layout="constrained")
    axes = figure.subplots()
    for shift, dtype, color in [(-0.2, "float32", "tab:blue"), (0.2, "float64", "tab:orange")]:
        found = {row.optimizer: row.share for row in rows if row.dtype == dtype}
        places = [i + shift for i, name in enumerate(names) if name in found]
        lengths = [100 * found[name] for name in names if name in found]
        axes.barh(places, lengths, 0.36, color=color, label=dtype)
    axes.axvline(95, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="% of the floor reached (dotted: 95)", ylim=(len(names) - 0.4, -0.6))
    _bare(axes)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    _save(figure, path)
