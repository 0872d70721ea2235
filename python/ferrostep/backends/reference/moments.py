"""Rules that divide an average of gradients by the root of an average of squares."""

import math
from collections.abc import Set

import numpy as np

# Correctly rounded beta**t, and functions that are the same everywhere, as the platform's are not.
from ferrostep._native import exp, log, power, real_power
from ferrostep.backends.reference.cautious import cautious
from ferrostep.backends.reference.clamp import clamp
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def _corrections(o: Options, t: int) -> tuple[float, float]:
    """The scalars that correct ``m``, the learning rate in it, and the root of ``v``."""
    beta1, beta2 = o["betas"]
    return o["lr"] / (1 - power(beta1, t)), 1 / math.sqrt(1 - power(beta2, t))


def adam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adam (Kingma & Ba 2014, arXiv:1412.6980, algorithm 1): momentum times RMSProp.

    ``m`` and ``v`` are moving averages of the gradient and of its square.  Both start at 0 and
    are too small at first; the paper divides them by ``1 - beta**t``.  Here these divisions are
    folded into two scalars: ``step`` corrects ``m``, and ``s`` corrects the root of ``v``.
    Without bias correction this is Adam as the lecture first writes it.  (``v`` may be started at
    another value than 0, as federated Adam does: arXiv:2003.00295.)

    ``epsilon_hat`` (end of the paper's section 2; Keras, scikit-learn) puts both corrections
    into the step, which leaves ``eps`` uncorrected.  ``amsgrad`` (Reddi et al. 2018,
    arXiv:1904.09237) divides by the largest ``v`` so far.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        vmax = state["max_exp_avg_sq"]
        v = np.where(v > vmax, v, vmax)
        new["max_exp_avg_sq"] = v

    step, s = lr, 1.0
    if o["bias_correction"] and o["epsilon_hat"]:
        step = lr * math.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    elif o["bias_correction"]:
        step, s = _corrections(o, t)
    return p - cautious((step * m) / (np.sqrt(v) * s + eps), g, o), new


def nadam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """NAdam (Dozat 2016, "Incorporating Nesterov Momentum into Adam").

    Nesterov's momentum looks one step ahead: the step takes the momentum ``m`` as it will be
    weighted next time, and the gradient with the rest.  The momentum itself is warmed up, so the
    bias correction is of the product of all its weights so far, which must be remembered.
    """
    lr, eps, psi, (beta1, beta2) = o["lr"], o["eps"], o["momentum_decay"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    mu = beta1 * (1 - 0.5 * real_power(0.96, t * psi))
    following = beta1 * (1 - 0.5 * real_power(0.96, (t + 1) * psi))
    product = state["mu_product"] * mu
    from_g = lr * (1 - mu) / (1 - product)
    from_m = lr * following / (1 - product * following)
    s = 1 / math.sqrt(1 - power(beta2, t))
    p = p - cautious((from_g * g + from_m * m) / (np.sqrt(v) * s + eps), g, o)
    return p, {"exp_avg": m, "exp_avg_sq": v, "mu_product": product}


def adamax(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adamax (Kingma & Ba 2014, arXiv:1412.6980, algorithm 2): Adam's limit for the infinity norm.

    ``u`` is the greatest gradient so far, and forgets.  It needs no correction: a maximum is right
    from the first step on.
    """
    eps, (beta1, beta2) = o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    old = beta2 * state["exp_inf"]
    new = np.abs(g) + eps if o["eps_inside_max"] else np.abs(g)
    u = np.where(old > new, old, new)
    divisor = u if o["eps_inside_max"] else u + eps
    step = o["lr"] / (1 - power(beta1, t))
    return p - (step * m) / divisor, {"exp_avg": m, "exp_inf": u}


def radam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """RAdam (Liu et al. 2019, arXiv:1908.03265, algorithm 2): rectified Adam.

    ``rho`` says of how many squares ``v`` is made, in effect.  Of so few that the variance of
    ``1/sqrt(v)`` is unknown, nothing is made: the step is ``m`` alone.  Later ``r`` grows to 1.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    new = {"exp_avg": m, "exp_avg_sq": v}

    rest1, rest2 = 1 - power(beta1, t), 1 - power(beta2, t)
    top = 2 / (1 - beta2) - 1
    rho = top - 2 * t * power(beta2, t) / rest2
    if rho <= 5:
        return p - (lr / rest1) * m, new
    r = math.sqrt((rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho))
    if o["epsilon_hat"]:
        step = lr * r * math.sqrt(rest2) / rest1
        return p - (step * m) / (np.sqrt(v) + eps), new
    step, s = lr * r / rest1, 1 / math.sqrt(rest2)
    return p - (step * m) / (np.sqrt(v) * s + eps), new


def adabelief(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdaBelief (Zhuang et al. 2020, arXiv:2010.07468, algorithm 2).

    ``m`` is what is believed of the gradient, ``s`` how far the truth is from it, squared.  Where
    belief and gradient agree, the step is large.  ``eps_root`` stays in ``s``.
    """
    eps, eps_root, (beta1, beta2) = o["eps"], o["eps_root"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    d = g - m
    s = beta2 * state["exp_avg_var"] + (1 - beta2) * (d * d) + eps_root
    step, k = _corrections(o, t)
    return p - (step * m) / (np.sqrt(s) * k + eps), {"exp_avg": m, "exp_avg_var": s}


def yogi(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Yogi (Zaheer et al. 2018, NeurIPS, algorithm 2).

    ``v`` follows the square ``q`` as Adam's does, but in steps of ``(1 - beta2) * q`` instead of
    ``(1 - beta2) * (v - q)``: after large gradients it comes down slowly.
    """
    eps, (beta1, beta2) = o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    q, v = g * g, state["exp_avg_sq"]
    v = v - (1 - beta2) * (np.sign(v - q) * q)
    step, s = _corrections(o, t)
    return p - (step * m) / (np.sqrt(v) * s + eps), {"exp_avg": m, "exp_avg_sq": v}


def adopt(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """ADOPT (Taniguchi et al. 2024, arXiv:2411.02853, algorithm 2).

    The gradient is divided by a root that it had no part in, and only then averaged: that mends
    Adam's convergence for any ``beta2``.  The first step has no such root, and only makes it.
    Early roots are of few squares, so what they divide is bounded (the authors' code, in which the
    first step has no decoupled weight decay either).
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    m, v = state["exp_avg"], state["exp_avg_sq"]
    root = np.sqrt(v)
    n = g / np.where(root < eps, eps, root)
    first, exponent = t == 1 or "exp_avg_sq" in fresh, o["clip_exponent"]
    if first:
        bound = 0.0
    elif exponent is None:
        bound = math.inf
    elif exponent == 0.25:
        bound = math.sqrt(math.sqrt(t - 1))
    else:
        bound = real_power(t - 1, exponent)
    n = clamp(n, -bound, bound)
    m = beta1 * m + (1 - beta1) * n
    q = g * g
    v = 0.0 * v + q if first else beta2 * v + (1 - beta2) * q
    if o["decoupled_weight_decay"] and not first:
        p = p * (1 - lr * o["weight_decay"])
    return p - lr * m, {"exp_avg": m, "exp_avg_sq": v}


def adan(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adan (Xie et al. 2022, arXiv:2208.06677, algorithm 1; corrections of the authors' code).

    Nesterov's momentum takes the gradient at a point ahead.  Here ``d``, how the gradient has
    changed, tells what it would be there, and has an average of its own, ``w``.  The first gradient
    has changed from nothing, which counts as nothing.  Weight decay is a proximal step: it divides
    what the step has reached.
    """
    lr, eps, (beta1, beta2, beta3) = o["lr"], o["eps"], o["betas"]
    first = t == 1 or "prev" in fresh
    change, new_change = (0.0, 0.0) if first else (beta2, 1 - beta2)
    d = g - state["prev"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    w = change * state["exp_avg_diff"] + new_change * d
    h = g + change * d
    n = beta3 * state["exp_avg_sq"] + (1 - beta3) * (h * h)
    step, step_w = lr / (1 - power(beta1, t)), lr * beta2 / (1 - power(beta2, t))
    s = 1 / math.sqrt(1 - power(beta3, t))
    decay = o["weight_decay"] if o["decoupled_weight_decay"] else 0.0
    if o["no_prox"]:
        p = p * (1 - lr * decay)
    p = p - cautious((step * m + step_w * w) / (np.sqrt(n) * s + eps), g, o)
    if not o["no_prox"]:
        p = p / (1 + lr * decay)
    return p, {"exp_avg": m, "exp_avg_diff": w, "exp_avg_sq": n, "prev": g}


def ademamix(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdEMAMix (Pagliardini et al. 2024, arXiv:2409.03137, algorithm 1).

    Adam with two averages of gradients: ``m`` follows the loss, ``w`` remembers thousands of steps
    and is not corrected.  Both its weight and its length may grow from those of Adam.
    """
    lr, eps, (beta1, beta2, beta3) = o["lr"], o["eps"], o["betas"]
    alpha = o["alpha"]
    if o["t_alpha"] is not None:
        alpha = min(t * alpha / o["t_alpha"], alpha)
    if o["t_beta3"] is not None and t < o["t_beta3"] and beta1 < beta3:
        past = t / o["t_beta3"]
        beta3 = min(exp(1 / ((1 - past) / log(beta1) + past / log(beta3))), beta3)
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    w = beta3 * state["exp_avg_slow"] + (1 - beta3) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step, s = lr / (1 - power(beta1, t)), 1 / math.sqrt(1 - power(beta2, t))
    p = p - (step * m + (lr * alpha) * w) / (np.sqrt(v) * s + eps)
    return p, {"exp_avg": m, "exp_avg_slow": w, "exp_avg_sq": v}


def sparse_adam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """SparseAdam (torch's): Adam (arXiv:1412.6980) of the rows that have a gradient.

    What comes here is those rows.  The others rest, and their averages do not decay; ``t`` counts
    the steps of the whole parameter.  ``eps`` is added to what is not corrected.
    """
    eps, (beta1, beta2) = o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    step = o["lr"] * math.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    return p - (step * m) / (np.sqrt(v) + eps), {"exp_avg": m, "exp_avg_sq": v}


RULES: dict[str, Rule] = {
    "Adam": adam,
    "AdamW": adam,  # the same rule; its weight decay is decoupled, see update()
    "NAdam": nadam,
    "Adamax": adamax,
    "RAdam": radam,
    "AdaBelief": adabelief,
    "Yogi": yogi,
    "ADOPT": adopt,
    "Adan": adan,
    "AdEMAMix": ademamix,
    "SparseAdam": sparse_adam,
}
