"""The demo's training, with parameters and state in every storage kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  (numpy knows the name bfloat16 from here on)
import numpy as np

import ferrostep as fs
from ferrostep.demo import by_hand, mlp
from ferrostep.demo.train import Contestant, digits, epochs_of
from ferrostep.demo.train import contestants as lecture

SEEDS = (1, 2, 3)  # the first is the demo's


@dataclass(frozen=True)
class Kind:
    """How parameters (gradients are handed over alike) and state are stored."""

    params: str
    state: str

    def __str__(self) -> str:
        return f"{self.params} + {self.state}"


F32, F16, BF16 = "float32", "float16", "bfloat16"
KINDS = [
    Kind(F32, F32),
    Kind(F32, BF16),
    Kind(F32, F16),
    Kind(BF16, F32),
    Kind(BF16, BF16),
    Kind(F16, F32),
    Kind(F16, F16),
]


@dataclass(frozen=True)
class Result:
    """What a training ended with: `still` is the share of values that the last step left as is."""

    loss: float
    accuracy: float
    still: float
    bytes: int


def contestants() -> list[Contestant]:
    """The lecture's, and Adam with an `eps` that float16 state can bear."""
    made = lecture()
    at = [contestant.name for contestant in made].index("Adam") + 1
    eps = 1e-4
    wide = Contestant(
        "Adam, eps=1e-4", lambda p: fs.Adam(p, eps=eps), lambda: by_hand.adam(eps=eps)
    )
    return [*made[:at], wide, *made[at:]]


def train(contestant: Contestant, kind: Kind, epochs: int, seed: int) -> Result:
    """Train as `train.train` does; forward and backward pass run in float32 on widened copies.

    Parameters
    ----------
    contestant
        The optimizer, its batch and its schedule.
    kind
        How parameters, gradients and state are stored.
    epochs
        Passes over the data, at least 1.
    seed
        Of the initial weights and the order of the images.
    """
    x, y, x_test, y_test = digits()
    rng = np.random.default_rng(seed)
    stored: list[Any] = [p.astype(kind.params) for p in mlp.make([64, 128, 64, 10], rng)]
    opt = contestant.make(stored)
    opt.param_groups[0]["state_dtype"] = kind.state
    for batches in epochs_of(contestant, opt, epochs, rng):
        for batch in batches:
            before = [p.astype(np.float32) for p in stored]
            _, grads = mlp.loss_and_gradients(before, x[batch], y[batch])
            opt.step([g.astype(kind.params) for g in grads])
    params = [p.astype(np.float32) for p in stored]
    same = [p == q for p, q in zip(params, before, strict=True)]
    states = [a for s in opt.state.values() for a in s.values() if isinstance(a, np.ndarray)]
    return Result(
        mlp.loss_and_gradients(params, x, y)[0],
        mlp.accuracy(params, x_test, y_test),
        float(np.concatenate([s.ravel() for s in same]).mean()),
        sum(a.nbytes for a in [*stored, *states]),
    )


def mean(results: list[Result]) -> Result:
    """Return the average of what several seeds gave."""
    n = len(results)
    return Result(
        sum(r.loss for r in results) / n,
        sum(r.accuracy for r in results) / n,
        sum(r.still for r in results) / n,
        results[0].bytes,
    )


Row = tuple[str, list[Result]]


def rows(epochs: int) -> Iterator[Row]:
    """Yield each optimizer's results, one per kind, averaged over the seeds."""
    for contestant in contestants():
        with np.errstate(over="ignore", invalid="ignore"):  # some diverge, which is a result
            found = [[train(contestant, kind, epochs, s) for s in SEEDS] for kind in KINDS]
        yield contestant.name, [mean(results) for results in found]
