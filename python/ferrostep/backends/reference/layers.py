"""Rules whose rate is another for each tensor: of sums over all of it."""

import math
from collections.abc import Set

import numpy as np

from ferrostep._native import power  # beta**t, correctly rounded; the platform's pow is not
from ferrostep.backends.reference.measures import tree_sum
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def _squares(x: Array) -> float:
    """The sum of squares, in float64."""
    wide = x.astype(np.float64)
    return tree_sum([wide * wide])


def lamb(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """LAMB (You et al. 2019, arXiv:1904.00962, algorithm 2): Adam's step, as long as ``p`` is.

    The batch that a layer can take grows with how large its weights are beside their updates.  So
    each tensor's step, weight decay included, gets the length of the tensor itself.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    k, s = 1.0, 1.0
    if o["bias_correction"]:
        k, s = 1 / (1 - power(beta1, t)), 1 / math.sqrt(1 - power(beta2, t))
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    u = (k * m) / (np.sqrt(v) * s + eps)
    u = u + (o["weight_decay"] if o["decoupled_weight_decay"] else 0.0) * p
    of_p, of_u = _squares(p), _squares(u)
    ratio = math.sqrt(of_p) / math.sqrt(of_u) if of_p > 0 and of_u > 0 else 1.0
    if o["trust_clip"]:
        ratio = min(ratio, 1.0)
    return p - (lr * ratio) * u, {"exp_avg": m, "exp_avg_sq": v}


def lars(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """LARS (You, Gitman & Ginsburg 2017, arXiv:1708.03888), in the form of apex and timm.

    SGD with momentum, whose gradients get a length in proportion to that of their tensor.  The
    weight decay enters with the gradient, but its length is counted apart.
    """
    lr, mu, trust = o["lr"], o["momentum"], o["trust_coefficient"]
    wd = 0.0 if o["decoupled_weight_decay"] else o["weight_decay"]
    of_p, of_g = _squares(p), _squares(g)
    ratio = 1.0
    if of_p > 0 and of_g > 0:
        if o["trust_clip"]:  # LARC: the rate with the ratio in it is at most lr
            trust = trust / lr if lr else math.inf
        norm = math.sqrt(of_p)
        ratio = (trust * norm) / ((math.sqrt(of_g) + wd * norm) + o["eps"])
        if o["trust_clip"]:
            ratio = min(ratio, 1.0)
    d = ratio * (g + wd * p)
    first = "momentum_buffer" in fresh
    buf = d if first else mu * state["momentum_buffer"] + (1 - o["dampening"]) * d
    step = d + mu * buf if o["nesterov"] else buf
    return p - lr * step, {"momentum_buffer": buf}


def novograd(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """NovoGrad (Ginsburg et al. 2019, arXiv:1905.11286, algorithm 1).

    Adam with one ``v`` for the whole tensor, and the momentum of gradients that were divided by
    its root before: half the memory, and no step is hidden by one large element.
    """
    lr, (beta1, beta2) = o["lr"], o["betas"]
    wd = 0.0 if o["decoupled_weight_decay"] else o["weight_decay"]
    first, q = t == 1 or "exp_avg" in fresh, _squares(g)
    v = q if first else beta2 * state["exp_avg_sq"] + (1 - beta2) * q
    inverse = math.inf if v + o["eps"] == 0 else 1 / (math.sqrt(v) + o["eps"])
    d = g * inverse + wd * p
    m = 0.0 * state["exp_avg"] + d if first else beta1 * state["exp_avg"] + d
    return p - lr * m, {"exp_avg": m, "exp_avg_sq": v}


def stable_adamw(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """StableAdamW (Wortsman et al. 2023, arXiv:2304.13013, algorithm 2).

    Where gradients grow faster than ``v`` can follow, Adam's steps are too long.  Their root mean
    square beside ``v`` says so, and the rate is divided by it.  The bias correction is in the
    decay rates: ``m`` and ``v`` are means from the first step on.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    part_m = (1 - beta1) / (1 - power(beta1, t))
    part_v = (1 - beta2) / (1 - power(beta2, t))
    m = (1 - part_m) * state["exp_avg"] + part_m * g
    v = (1 - part_v) * state["exp_avg_sq"] + part_v * (g * g)
    beside = (g * g) / np.where(v < eps * eps, eps * eps, v)
    rms = math.sqrt(tree_sum([beside.astype(np.float64)]) / p.size) if p.size else 0.0
    rate = lr / rms if rms > 1 else lr
    wd = o["weight_decay"] if o["decoupled_weight_decay"] else 0.0
    return p * (1 - rate * wd) - (rate * m) / (np.sqrt(v) + eps), {"exp_avg": m, "exp_avg_sq": v}


RULES: dict[str, Rule] = {
    "LAMB": lamb,
    "LARS": lars,
    "NovoGrad": novograd,
    "StableAdamW": stable_adamw,
}
