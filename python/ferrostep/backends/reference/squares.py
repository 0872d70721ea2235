"""Rules that divide by the root of squared gradients."""

from collections.abc import Set

import numpy as np

from ferrostep.backends.reference.rule import Array, Options, Rule, States


def rmsprop(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """RMSProp (Hinton, lecture 6e of his course, 2012; centered: Graves 2013, arXiv:1308.0850).

    ``r`` is a moving average of squared gradients, its root the size that gradients have had
    lately.  Centered: ``a`` is the moving average of the gradients themselves and ``r - a*a``
    their variance, which rounding can push below 0, where it counts as 0.  ``b`` is momentum.
    """
    lr, beta, eps, mu = o["lr"], o["alpha"], o["eps"], o["momentum"]
    r = beta * state["square_avg"] + (1 - beta) * (g * g)
    new, d = {"square_avg": r}, r
    if o["centered"]:
        a = beta * state["grad_avg"] + (1 - beta) * g
        d = r - a * a
        d = np.where(d < 0, 0.0, d)
        new["grad_avg"] = a
    root = np.sqrt(d + eps) if o["eps_inside_sqrt"] else np.sqrt(d) + eps
    if mu == 0:
        return p - (lr * g) / root, new
    b = mu * state["momentum_buffer"] + g / root
    return p - lr * b, new | {"momentum_buffer": b}


def adagrad(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdaGrad (Duchi, Hazan & Singer 2011).

    ``s`` is the sum of all squared gradients so far: weights that were seldom moved keep large
    steps.  ``lr_decay`` lets the learning rate fall with the number of steps besides.
    """
    lr_t = o["lr"] / (1 + (t - 1) * o["lr_decay"])
    eps = o["eps"]
    s = state["sum"] + g * g
    root = np.sqrt(s + eps) if o["eps_inside_sqrt"] else np.sqrt(s) + eps
    return p - (lr_t * g) / root, {"sum": s}


def adadelta(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdaDelta (Zeiler 2012, arXiv:1212.5701, algorithm 1).

    ``r`` is a moving average of squared gradients, ``a`` one of squared steps ``d``.  The ratio
    of their roots gives the step the unit of the parameter, so that ``lr`` can stay at 1.  The
    step is made with the old ``a``: the new one needs the step.
    """
    lr, rho, eps = o["lr"], o["rho"], o["eps"]
    a = state["acc_delta"]
    r = rho * state["square_avg"] + (1 - rho) * (g * g)
    d = (np.sqrt(a + eps) / np.sqrt(r + eps)) * g
    a = rho * a + (1 - rho) * (d * d)
    return p - lr * d, {"square_avg": r, "acc_delta": a}


RULES: dict[str, Rule] = {
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
}
