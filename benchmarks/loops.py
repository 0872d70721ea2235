"""``python -m benchmarks.loops``: the loops of `examples/`, by hand and with ferrostep.

Gradients are computed once, so that a step is the update alone (of `layers`, with its products).
Both ways are measured in turn; a figure is the least of its rounds.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 7


def load(path: Path) -> Any:
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where inspect looks
    spec.loader.exec_module(module)
    return module


def seconds_per_step(way: Any, start: Any, gradient: Any, steps: int) -> float:
    with np.errstate(all="ignore"):  # a gradient that never changes leads anywhere
        begin = time.perf_counter()
        way(start, gradient, steps)
        return (time.perf_counter() - begin) / steps


def _first(example: Any, start: Any, gradient: Any) -> Any:
    """Return the gradient that the loop asks for first."""
    asked: list[Any] = []

    def kept(*arguments: Any) -> Any:
        asked.append(gradient(*arguments))
        return asked[-1]

    example.by_hand(start, kept, 1)
    return asked[0]


def measured(example: Any, size: int) -> tuple[float, float]:
    """Return the seconds of a step by hand and with ferrostep."""
    start, gradient = example.problem(size)
    known = _first(example, start, gradient)
    steps = max(3, min(2000, 4_000_000 // (size + 2000)))
    least = [float("inf")] * 2
    for _ in range(ROUNDS):
        for i, way in enumerate((example.by_hand, example.with_ferrostep)):
            took = seconds_per_step(way, start, lambda *_: known, steps)
            least[i] = min(least[i], took)
    return least[0], least[1]


def main(name: str = "") -> None:
    """Measure all examples, or those with `name` in theirs."""
    table = Table("loop", "values", "by hand, us", "ferrostep, us", "times as fast")
    for path in sorted(path for path in EXAMPLES.glob("*.py") if name in path.stem):
        for size in SIZES:
            hand, mine = measured(load(path), size)
            cells = f"{hand * 1e6:.1f}", f"{mine * 1e6:.1f}", f"{hand / mine:.2f}"
            table.add_row(path.stem, f"{size:,}", *cells)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
