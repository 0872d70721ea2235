"""Trains the digits network once with each contestant, beside the update written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs
from ferrostep.demo import by_hand, mlp
from ferrostep.demo.mlp import F32

TARGET = 0.95


@dataclass(frozen=True)
class Contestant:
    name: str
    make: Callable[[list[F32]], fs.Optimizer]
    hand: Callable[[], by_hand.Step]
    batch: int = 64
    schedule: Callable[[fs.Optimizer, int], fs.schedulers.LRScheduler] | None = None


@dataclass
class Run:
    name: str
    rate: float
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    ours: float = 0.0
    by_hand: float = 0.0
    steps: int = 0
    same_bits: bool = True

    @property
    def label(self) -> str:
        return f"{self.name} ({self.rate:g})"

    @property
    def epochs_to_target(self) -> int | None:
        reached = (i for i, a in enumerate(self.accuracies, 1) if a >= TARGET)
        return next(reached, None)


def contestants() -> list[Contestant]:
    """All of the lecture, each with a learning rate that suits it."""
    momentum, cosine = by_hand.momentum, fs.schedulers.CosineAnnealingLR
    return [
        Contestant("SGD", lambda p: fs.SGD(p, lr=0.05), by_hand.sgd),
        Contestant("Momentum", lambda p: fs.Momentum(p, lr=0.03), momentum),
        Contestant(
            "Nesterov",
            lambda p: fs.Momentum(p, lr=0.03, nesterov=True),
            lambda: momentum(nesterov=True),
        ),
        Contestant(
            "Adaptive gains", lambda p: fs.AdaptiveGains(p, lr=0.03), by_hand.adaptive_gains
        ),
        Contestant("Rprop (full batch)", lambda p: fs.Rprop(p, lr=1e-3), by_hand.rprop, 10_000),
        Contestant("AdaDelta", lambda p: fs.Adadelta(p), by_hand.adadelta),
        Contestant("RMSProp", lambda p: fs.RMSprop(p, lr=1e-3, alpha=0.9), by_hand.rmsprop),
        Contestant(
            "Adam, uncorrected",
            lambda p: fs.Adam(p, lr=1e-3, bias_correction=False),
            lambda: by_hand.adam(correct=False),
        ),
        Contestant("Adam", lambda p: fs.Adam(p, lr=1e-3), by_hand.adam),
        Contestant(
            "Momentum + schedule",
            lambda p: fs.Momentum(p, lr=0.05),
            momentum,
            schedule=lambda opt, epochs: cosine(opt, T_max=epochs),
        ),
    ]


@cache
def digits() -> tuple[F32, NDArray[np.intp], F32, NDArray[np.intp]]:
    """The 1,797 handwritten digits that ship with scikit-learn; the last 450 for the test."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = (x[order] / 8 - 1).astype(np.float32), y[order]
    return x[:-450], y[:-450], x[-450:], y[-450:]


def epochs_of(
    contestant: Contestant, opt: fs.Optimizer, epochs: int, rng: np.random.Generator
) -> Iterator[list[NDArray[np.intp]]]:
    """Yield the batches of every epoch; the schedule moves on when it is over."""
    count = len(digits()[1])
    size = min(contestant.batch, count)
    schedule = contestant.schedule(opt, epochs) if contestant.schedule else None
    for _ in range(epochs):
        order = rng.permutation(count)
        # Full batches only: the gradient of a last one of 3 images would be noise.
        yield [order[begin : begin + size] for begin in range(0, count - size + 1, size)]
        if schedule is not None:
            schedule.step()


def train(contestant: Contestant, epochs: int) -> Iterator[Run]:
    """Yield the run so far after every epoch."""
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(1)
    params = mlp.make([64, 128, 64, 10], rng)
    twin = [p.copy() for p in params]  # updated by hand with the same gradients
    opt, step_by_hand = contestant.make(params), contestant.hand()
    run = Run(contestant.name, opt.param_groups[0]["lr"])
    for batches in epochs_of(contestant, opt, epochs, rng):
        for batch in batches:
            _, grads = mlp.loss_and_gradients(params, x[batch], y[batch])
            lr = opt.param_groups[0]["lr"]
            # Who comes second finds the gradients in the cache: they take turns.
            for ours in (True, False) if run.steps % 2 else (False, True):
                start = time.perf_counter()
                if ours:
                    opt.step(grads)
                    run.ours += time.perf_counter() - start
                else:
                    step_by_hand(twin, grads, lr)
                    run.by_hand += time.perf_counter() - start
            run.steps += 1
        pairs = zip(params, twin, strict=True)
        run.same_bits &= all(np.array_equal(p.view("u4"), q.view("u4")) for p, q in pairs)
        run.losses.append(mlp.loss_and_gradients(params, x, y)[0])
        run.accuracies.append(mlp.accuracy(params, x_test, y_test))
        yield run
