"""Rules that go down the gradient itself, or along a sum of past ones."""

from collections.abc import Set

import numpy as np

from ferrostep._native import real_power  # x**y, the same on every platform
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def sgd(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Stochastic gradient descent, with torch's form of momentum.

    ``buf`` sums up past gradients, each weighted by another factor of ``mu`` per step; the
    learning rate stays outside.  At its first use it is the gradient itself.  Nesterov's variant
    (Sutskever et al. 2013) steps along the gradient plus what ``buf`` will carry on.  ``average``
    makes ``buf`` a moving average of gradients, which starts at 0 as Adam's ``m`` does.
    """
    lr, mu, damp = o["lr"], o["momentum"], o["dampening"]
    if mu == 0:
        return p - lr * g, {}
    if o["average"]:
        buf = mu * state["momentum_buffer"] + (1 - mu) * g
        return p - lr * buf, {"momentum_buffer": buf}
    buf = g if "momentum_buffer" in fresh else mu * state["momentum_buffer"] + (1 - damp) * g
    d = g + mu * buf if o["nesterov"] else buf
    return p - lr * d, {"momentum_buffer": buf}


def momentum(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Momentum as the lecture, Keras and scikit-learn write it.

    The velocity ``v`` is the step itself: the learning rate is inside, so a change of ``lr``
    leaves the speed that was already gathered as it is.
    """
    lr, mu = o["lr"], o["momentum"]
    v = mu * state["velocity"] - lr * g
    step = mu * v - lr * g if o["nesterov"] else v
    return p + step, {"velocity": v}


def asgd(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """ASGD (Polyak & Juditsky 1992), as torch has it: a falling rate, and an average of the path.

    SGD with a rate that falls slowly wanders about the minimum, and the average of where it was is
    nearer to it than any of its points.  ``eta`` and ``mu`` are made for the next step.
    """
    lr, lambd = o["lr"], o["lambd"]
    eta, mu = state["eta"], state["mu"]
    p = p * (1 - lambd * eta) - eta * g
    mean = state["ax"] + mu * (p - state["ax"])
    ax = np.where(np.full_like(p, mu) < 1, mean, p)
    eta = lr / real_power(1 + lambd * lr * t, o["alpha"])
    return p, {"ax": ax, "eta": eta, "mu": 1 / max(1.0, t - o["t0"])}


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "Momentum": momentum,
    "ASGD": asgd,
}
