"""Other people's numbers: torch's recorded runs, and scikit-learn's optimizers to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array, assert_same_bits, gradients
from support.recorded import KNOWN, Case, check, replay, title


class Public:
    """Runs torch's recorded cases through the classes that users see."""

    def __init__(self, name: str, options: Mapping[str, Any], parameters: Sequence[Array]) -> None:
        self.parameters = list(parameters)
        self.optimizer = getattr(fs, name)(self.parameters, **options)

    def step(self, grads: Sequence[Array | None], lr: float) -> Sequence[Array]:
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step(list(grads))
        return self.parameters

    def state(self, i: int) -> Mapping[str, Any]:
        return self.optimizer.state[i]


@pytest.mark.parametrize("case", KNOWN, ids=title)
def test_torch(case: Case) -> None:
    check(case, replay(case, Public))


@pytest.mark.parametrize("nesterov", [False, True])
def test_scikit_learn_sgd_to_the_bit(nesterov: bool) -> None:
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    rng = np.random.default_rng(0)
    ours = [rng.standard_normal(shape) for shape in [(13, 7), (7,)]]
    theirs = [p.copy() for p in ours]
    sklearn = SGDOptimizer(theirs, learning_rate_init=0.1, momentum=0.9, nesterov=nesterov)
    opt = fs.Momentum(ours, lr=0.1, momentum=0.9, nesterov=nesterov)
    for _ in range(300):
        grads = [gradients(rng, p.shape, np.float64) for p in ours]
        opt.step(grads)
        sklearn.update_params(theirs, grads)
    for p, q in zip(ours, theirs, strict=True):
        assert_same_bits(p, q)


def test_scikit_learn_adam_to_the_bit() -> None:
    """In float64, and below the first step where the platform's pow is a bit off (about 1,000)."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    rng = np.random.default_rng(0)
    ours = [rng.standard_normal(shape) for shape in [(13, 7), (7,)]]
    theirs = [p.copy() for p in ours]
    sklearn = AdamOptimizer(theirs, learning_rate_init=0.01)
    opt = fs.Adam(ours, lr=0.01, epsilon_hat=True)
    for _ in range(300):
        grads = [gradients(rng, p.shape, np.float64) for p in ours]
        opt.step(grads)
        sklearn.update_params(theirs, grads)
    for p, q in zip(ours, theirs, strict=True):
        assert_same_bits(p, q)


def test_scikit_learn_tsne_gains_to_the_bit() -> None:
    """t-SNE's own gradient descent, on a bowl whose gradient is the position."""
    from sklearn.manifold._t_sne import _gradient_descent

    rng = np.random.default_rng(0)
    start = rng.standard_normal(101)
    slopes = rng.uniform(0.1, 3.0, 101)

    def objective(p: Array, *_: Any, **__: Any) -> tuple[float, Array]:
        return float(np.sum(slopes * p * p) / 2), slopes * p

    wanted, _, _ = _gradient_descent(
        objective, start.copy(), it=0, max_iter=60, momentum=0.8, learning_rate=0.3, min_grad_norm=0
    )
    p = start.copy()
    opt = fs.AdaptiveGains(
        [p], lr=0.3, beta=0.2, min_gain=0.01, max_gain=float("inf"), momentum=0.8,
        compare="velocity",
    )  # fmt: skip
    for _ in range(60):
        opt.step([slopes * p])
    assert_same_bits(p, wanted)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_autograd(name: str) -> None:
    """autograd.misc.optimizers, whose conventions our options can express."""
    optimizers = pytest.importorskip("autograd.misc.optimizers")
    slopes = np.array([0.5, 2.0, 7.0])
    start = np.array([1.0, -2.0, 0.3])
    theirs = getattr(optimizers, name)(lambda p, _: slopes * p, start.copy(), num_iters=50)
    ours = start.copy()
    opt: fs.Optimizer
    if name == "sgd":  # its velocity is mass*v - (1-mass)*g
        opt = fs.SGD([ours], lr=0.1, momentum=0.9, average=True)
    elif name == "rmsprop":
        opt = fs.RMSprop([ours], lr=0.1, alpha=0.9, initial_accumulator_value=1.0)
    else:
        opt = fs.Adam([ours], lr=0.001)
    for _ in range(50):
        opt.step([slopes * ours])
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # other order of operations
