"""The two pictures of docs/benchmarks.md."""

from __future__ import annotations

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


def time_per_value(run: Run, path: Path) -> None:
    """Nanoseconds per parameter over size, a line for everyone."""
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    colors = mpl.colormaps["tab10"]
    others = [label for label in PEERS if label not in OWN]
    for label in ("ferrostep", "floor", *others):
        points = [(c.values, m) for c in _adam(run) if (m := c.median(label)) is not None]
        if not points:
            continue
        sizes = [size for size, _ in points]
        times = [median / size * 1e9 for size, median in points]
        if label in others:
            axes.plot(
                sizes, times, "o-", ms=3, lw=1, color=colors(others.index(label)), label=label
            )
        elif label == "floor":
            axes.plot(sizes, times, ":", color="black", label=label)
        else:
            axes.plot(sizes, times, "o-", lw=2.5, color="black", label=label)
    axes.set(xscale="log", yscale="log", xlabel="parameters", ylabel="ns per parameter and step")
    axes.set_title("Adam, float32", loc="left")
    axes.grid(alpha=0.3)
    _bare(axes)
    figure.legend(loc="outside right center", frameon=False)
    _save(figure, path)


def share_of_floor(run: Run, path: Path) -> None:
    """How much of the memory's speed each optimizer reaches on all threads."""
    rows = [row for row in shares(run) if row.threads == run.machine["threads"]]
    names = list(dict.fromkeys(row.optimizer for row in rows))
    figure = Figure(figsize=(7.5, 1 + 0.35 * max(1, len(names))), layout="constrained")
    axes = figure.subplots()
    for shift, dtype, color in [(-0.2, "float32", "tab:blue"), (0.2, "float64", "tab:orange")]:
        found = {row.optimizer: row.share for row in rows if row.dtype == dtype}
        places = [i + shift for i, name in enumerate(names) if name in found]
        axes.barh(places, [100 * share for share in found.values()], 0.36, color=color, label=dtype)
    axes.axvline(95, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="% of the floor reached (dotted: 95)", xlim=(0, 105))
    _bare(axes)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    _save(figure, path)
