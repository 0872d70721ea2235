"""Rules that go down the gradient itself, or along a sum of past ones."""

from collections.abc import Set

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


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "Momentum": momentum,
}
