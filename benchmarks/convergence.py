"""Trains with every class: `python -m benchmarks.convergence --page docs/convergence.md`.

The handwritten digits with a small network, and Rosenbrock's valley; each class with the learning
rate that serves it best, of the same few.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

import ferrostep as fs
from ferrostep import optimizers
from ferrostep.demo import mlp
from ferrostep.demo.storage_page import processor
from ferrostep.demo.train import digits

RATES = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
EPOCHS, BATCH, SIZES = 20, 64, [64, 128, 64, 10]
STEPS, BEGIN = 5_000, (-1.2, 1.0)
#: Every class of the package, each once whatever other spellings it has.
CLASSES = {
    cls.__name__: cls
    for cls in (getattr(optimizers, n) for n in sorted(optimizers.__all__, key=str.lower))
}


@dataclass(frozen=True)
class Way:
    """How a class is used, where it is in another way than the others."""

    options: Mapping[str, Any] = field(default_factory=dict)
    #: All images in each batch: it compares the signs of gradients of one and the same function.
    full_batch: bool = False
    why: str = ""


WAYS = {
    "Rprop": Way(
        full_batch=True,
        why="as many steps, on all images, since it compares the signs of gradients",
    ),
    "FTRL": Way(
        {"initial_accumulator_value": 0.0, "beta": 1e-6},
        why="with sums that begin at 0: else its first step draws all weights to 0",
    ),
    "SparseAdam": Way(why="all rows have a gradient"),
    "Muon": Way(why="the biases have AdamW, and Rosenbrock's point is a matrix of one row"),
}


@dataclass(frozen=True)
class Result:
    """What a class reached, with the best of the rates."""

    lr: float
    loss: float
    accuracy: float = math.nan


class Stepper:
    """A class' optimizer of some parameters, used in its way."""

    def __init__(self, name: str, params: list[Any], lr: float) -> None:
        self.way = WAYS.get(name, Way())
        self.rows = CLASSES[name].ROWS_ONLY
        matrices = CLASSES[name].MATRICES
        self.own = [i for i, p in enumerate(params) if p.ndim == 2 or not matrices]
        self.rest = [i for i in range(len(params)) if i not in self.own]
        self.opt: Any = CLASSES[name]([params[i] for i in self.own], lr=lr, **self.way.options)
        self.others = fs.AdamW([params[i] for i in self.rest]) if self.rest else None

    def step(self, grads: Sequence[Any]) -> None:
        if self.rows:
            grads = [fs.Rows(np.arange(len(g)), g) for g in grads]
        self.opt.step([grads[i] for i in self.own])
        if self.others is not None:
            self.others.step([grads[i] for i in self.rest])

    def finish(self) -> None:
        """Leave the parameters as they are to be used."""
        if hasattr(self.opt, "eval"):
            self.opt.eval()


def train(name: str, lr: float, epochs: int = EPOCHS) -> Result:
    """Train the digits' network; return its loss over all images, accuracy on the others."""
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(1)
    params = mlp.make(SIZES, rng)
    stepper = Stepper(name, params, lr)
    size = len(y) if stepper.way.full_batch else BATCH
    with threadpool_limits(1):  # matrices as small as these gain nothing by a second thread
        for _ in range(epochs * (len(y) // BATCH) if stepper.way.full_batch else epochs):
            order = rng.permutation(len(y))
            for begin in range(0, len(y) - size + 1, size):
                batch = order[begin : begin + size]
                stepper.step(mlp.loss_and_gradients(params, x[batch], y[batch])[1])
    stepper.finish()
    loss = mlp.loss_and_gradients(params, x, y)[0]
    return Result(lr, loss, mlp.accuracy(params, x_test, y_test))


def rosenbrock(p: Any) -> tuple[float, Any]:
    """Return ``(1 - x)**2 + 100*(y - x**2)**2`` and its gradient."""
    x, y = p.ravel()
    rise = y - x * x
    slope = np.array([-2 * (1 - x) - 400 * x * rise, 200 * rise])
    return float((1 - x) ** 2 + 100 * rise * rise), slope.reshape(p.shape)


def descend(name: str, lr: float, steps: int = STEPS) -> Result:
    """Go down the valley; return the value that is reached."""
    matrix = CLASSES[name].MATRICES
    p = np.array([BEGIN] if matrix else BEGIN)
    stepper = Stepper(name, [p], lr)
    for _ in range(steps):
        stepper.step([rosenbrock(p)[1]])
    stepper.finish()
    return Result(lr, rosenbrock(p)[0])


def best(attempt: Callable[[str, float], Result], name: str) -> Result:
    """Return the best of the rates; one that ends in NaN is none."""
    with np.errstate(all="ignore"):
        found = [attempt(name, lr) for lr in RATES]
    return min((r for r in found if math.isfinite(r.loss)), key=lambda r: r.loss)


PAGE = """# What every class reaches

Written by `python -m benchmarks.convergence --page docs/convergence.md`; not edited by hand.

Each class with its defaults and the best of the learning rates {rates},
without a schedule: a check that each learns, and no contest.

- **digits**: the network of `make demo` (64-128-64-10, handwritten digits), {epochs} epochs in
  batches of {batch}, float32. The mean cross-entropy over the 1,347 training images after the last
  step, and the accuracy on the other 450. It begins at {first:.2f}.
- **Rosenbrock**: `(1 - x)**2 + 100*(y - x**2)**2` from {begin}, where it is {high:.1f}, after
  {steps:,} steps in float64. The least value is 0, at (1, 1).

In another way than the others are used: {ways}.

- machine: {machine}
- versions: {versions}
- date: {date}; the digits' last figures depend on NumPy's BLAS, Rosenbrock's on nothing

{table}
"""


def rows() -> Iterator[tuple[str, Result, Result]]:
    for name in CLASSES:
        yield name, best(train, name), best(descend, name)


def page(found: Sequence[tuple[str, Result, Result]]) -> str:
    lines = [
        "| class | digits, lr | loss | accuracy | Rosenbrock, lr | value |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| `{name}` | {net.lr:g} | {net.loss:.1e} | {net.accuracy:.1%} | {valley.lr:g} | "
        f"{valley.loss:.1e} |"
        for name, net, valley in found
    ]
    x, y, _, _ = digits()
    return PAGE.format(
        rates=", ".join(f"{lr:g}" for lr in RATES),
        epochs=EPOCHS,
        batch=BATCH,
        first=mlp.loss_and_gradients(mlp.make(SIZES, np.random.default_rng(1)), x, y)[0],
        begin=BEGIN,
        high=rosenbrock(np.array(BEGIN))[0],
        steps=STEPS,
        ways="; ".join(f"`{name}` ({WAYS[name].why})" for name in CLASSES if name in WAYS),
        machine=f"{processor()}, {platform.system()}",
        versions=f"CPython {platform.python_version()}, NumPy {np.__version__}, "
        f"ferrostep {fs.__version__}",
        date=time.strftime("%Y-%m-%d"),
        table="\n".join(lines),
    )


def main(page_: Annotated[Path, typer.Option("--page", help="What to write.")]) -> None:
    """Train with every class, print what it reaches, write the page."""
    found = []
    for name, net, valley in rows():
        print(f"{name:<20} {net.loss:9.1e} {net.accuracy:7.1%} {valley.loss:9.1e}", flush=True)
        found.append((name, net, valley))
    page_.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
