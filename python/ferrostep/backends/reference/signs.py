"""Rules that go by the signs of gradients, or of an average of them."""

from collections.abc import Set

import numpy as np

from ferrostep.backends.reference.cautious import agree, cautious
from ferrostep.backends.reference.clamp import clamp
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def adaptive_gains(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """A gain of its own for every weight (the lecture; Jacobs 1988, delta-bar-delta).

    The gain grows by ``beta`` while the weight keeps its direction and shrinks by the factor
    ``1 - beta`` when it turns round: accelerate gently, brake hard.  ``compare="gradient"`` calls
    it a direction kept if the gradient has the sign that it had in the step before; without a
    sign, as at 0, the gain stays.  ``compare="velocity"`` is the rule of t-SNE: the direction is
    kept if ``g`` is against ``v`` (a descent moves against the gradient), and turned otherwise.
    ``compare="sign"`` is that rule with a sign of 0 too, which differs from both others.
    """
    lr, beta, mu, gain = o["lr"], o["beta"], o["momentum"], state["gain"]
    if o["compare"] == "velocity":
        keeps = agree(g, -state["velocity"])
        turns = ~keeps
    elif o["compare"] == "sign":
        keeps = np.sign(g) != np.sign(state["velocity"])
        turns = ~keeps
    else:
        keeps = agree(g, state["prev"])
        turns = agree(g, -state["prev"])
    gain = np.where(keeps, gain + beta, np.where(turns, gain * (1 - beta), gain))
    gain = clamp(gain, o["min_gain"], o["max_gain"])
    new = {"gain": gain}
    if o["compare"] == "gradient":
        new["prev"] = g
    if mu == 0:
        return p - lr * (gain * g), new
    v = mu * state["velocity"] - lr * (gain * g)
    return p + v, new | {"velocity": v}


def rprop(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Resilient backpropagation (Riedmiller & Braun 1993), in the form called iRprop-.

    Only the sign of the gradient counts.  Each weight has its step size, which grows by
    ``eta_plus`` while the sign stays and shrinks by ``eta_minus`` when it changes: the last step
    jumped over a minimum.  Then the weight waits for one step, and 0 is remembered as its
    gradient, so that the step after that neither grows nor shrinks.
    """
    eta_minus, eta_plus = o["etas"]
    step, prev = state["step_size"], state["prev"]
    same, opposite = agree(g, prev), agree(g, -prev)
    step = np.where(same, step * eta_plus, np.where(opposite, step * eta_minus, step))
    step = clamp(step, *o["step_sizes"])
    g = np.where(opposite, 0.0, g)
    return p - np.sign(g) * step, {"prev": g, "step_size": step}


def lion(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2).

    ``m`` is a moving average of gradients.  The step is the sign of a faster average, which weighs
    the newest gradient more than ``m`` will: every weight moves by ``lr``, or rests at a sign of 0.
    """
    lr, (beta1, beta2) = o["lr"], o["betas"]
    m = state["exp_avg"]
    u = beta1 * m + (1 - beta1) * g
    return p - cautious(lr * np.sign(u), g, o), {"exp_avg": beta2 * m + (1 - beta2) * g}


def signum(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Signum and SignSGD (Bernstein et al. 2018, arXiv:1802.04434, algorithms 1 and 2).

    As Lion with one average, whose newest gradient is in it; without momentum the average is the
    gradient.
    """
    lr, momentum = o["lr"], o["momentum"]
    if momentum == 0:
        return p - lr * np.sign(g), {}
    m = momentum * state["exp_avg"] + (1 - momentum) * g
    return p - lr * np.sign(m), {"exp_avg": m}


RULES: dict[str, Rule] = {
    "AdaptiveGains": adaptive_gains,
    "Rprop": rprop,
    "Lion": lion,
    "Signum": signum,
}
