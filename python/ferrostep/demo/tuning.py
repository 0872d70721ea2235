"""How much tuning each optimizer takes: a small network trained over a range of learning rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np

from ferrostep.demo import mlp
from ferrostep.demo.train import TARGET, Contestant, digits, epochs_of

#: Three to a decade.
RATES = [float(f"{10 ** (i / 3):.2g}") for i in range(-13, 7)]
SEEDS = (1, 2, 3)
SIZES = [64, 32, 10]


@dataclass(frozen=True)
class Trained:
    """What trainings at one learning rate ended with, by seed; infinite where one diverged."""

    rate: float
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]

    @property
    def loss(self) -> float:
        return median(self.losses)

    @property
    def is_good(self) -> bool:
        return median(self.accuracies) >= TARGET


@dataclass(frozen=True)
class Tuned:
    """One optimizer over all learning rates."""

    name: str
    trained: tuple[Trained, ...]

    @property
    def best(self) -> Trained:
        return min(self.trained, key=lambda trained: trained.loss)

    @property
    def decades(self) -> float:
        """How far the longest row of good learning rates reaches, in powers of ten."""
        rows = [list(row) for good, row in groupby(self.trained, lambda t: t.is_good) if good]
        return max((len(row) for row in rows), default=0) / 3


def once(contestant: Contestant, rate: float, epochs: int, seed: int) -> tuple[float, float]:
    """Train once; return the loss on what was learnt and the accuracy on what was not."""
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(seed)
    params = mlp.make(SIZES, rng)
    opt = contestant.make(params)
    opt.param_groups[0]["lr"] = rate
    for batches in epochs_of(contestant, opt, epochs, rng):
        for batch in batches:
            _, grads = mlp.loss_and_gradients(params, x[batch], y[batch])
            opt.step(grads)
    loss, _ = mlp.loss_and_gradients(params, x, y)
    return (loss if np.isfinite(loss) else np.inf), mlp.accuracy(params, x_test, y_test)


def tune(contestant: Contestant, epochs: int) -> Iterator[Trained]:
    """Yield what each learning rate leads to."""
    for rate in RATES:
        # Some diverge, which is a result.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            ends = [once(contestant, rate, epochs, seed) for seed in SEEDS]
        losses, accuracies = zip(*ends, strict=True)
        yield Trained(rate, losses, accuracies)


def conclusion(all_of_them: list[Tuned]) -> str:
    """Say in one sentence what the trainings have shown."""
    least, *_, most = sorted(all_of_them, key=lambda tuned: tuned.decades)
    best = min(all_of_them, key=lambda tuned: tuned.best.loss)
    return (
        f"{TARGET:.0%} of the test digits are read over {most.decades:.1f} decades of learning "
        f"rates with {most.name} and over {least.decades:.1f} with {least.name}; the lowest loss "
        f"of all was that of {best.name} at {best.best.rate:g}."
    )
