"""Rules whose step size is one for the whole model: of sums over all parameters."""

import math
from collections.abc import Callable, Sequence, Set

import numpy as np

from ferrostep._native import power  # beta**t, correctly rounded; the platform's pow is not
from ferrostep.backends.reference.rule import Array, Options, Rule, States

#: What each element of a parameter adds to the sums.
Terms = Callable[[Array, Array, States, Options, int], Sequence[Array]]


def _rate(state: States, o: Options, t: int) -> float:
    (beta1, beta2), rate = o["betas"], state["d"] * o["lr"]
    if o["bias_correction"]:
        rate = rate * math.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    return float(rate)


def _beta3(o: Options) -> float:
    return math.sqrt(o["betas"][1]) if o["beta3"] is None else o["beta3"]


def _weighted(g: Array, state: States, o: Options, t: int) -> Array:
    relative = state["d"] / o["d0"]
    weight = state["d"] if o["safeguard_warmup"] else _rate(state, o, t)
    s: Array = _beta3(o) * state["s"] + (relative * weight) * g
    return s


def _begun(p: Array, state: States) -> Array:
    return np.where(np.isnan(state["p0"]), p, state["p0"])


def prodigy_terms(p: Array, g: Array, state: States, o: Options, t: int) -> Sequence[Array]:
    """How far the gradients say that it was right to go, and the size of what they add up to."""
    weight = (state["d"] / o["d0"]) * _rate(state, o, t)
    return (weight * g) * (_begun(p, state) - p), np.abs(_weighted(g, state, o, t))


def prodigy(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Prodigy (Mishchenko & Defazio 2023, arXiv:2306.06101, algorithm 4, as the authors' code).

    Adam whose step is ``d`` times as long.  In a convex valley the best ``d`` is the distance from
    the beginning to the bottom, and the gradients along the way bound it from below: ``d`` grows
    to the largest bound that was found.
    """
    (beta1, beta2), d, rate = o["betas"], state["d"], _rate(state, o, t)
    m = beta1 * state["exp_avg"] + (d * (1 - beta1)) * g
    v = beta2 * state["exp_avg_sq"] + (d * d * (1 - beta2)) * (g * g)
    new = {
        "exp_avg": m,
        "exp_avg_sq": v,
        "s": _weighted(g, state, o, t),
        "p0": _begun(p, state),
        **{name: state[name] for name in ("d", "d_max", "numerator")},
    }
    travelled, length = o["sums"]
    numerator = _beta3(o) * state["numerator"] + travelled
    bound = o["d_coef"] * numerator / length if length > 0 else math.nan
    if math.isfinite(bound):  # else there was nothing to learn from
        d = max(d, bound) if d == o["d0"] else d
        d_max = max(state["d_max"], bound)
        d = min(d_max, d * o["growth_rate"])
        new |= {"d": d, "d_max": d_max, "numerator": numerator}
    wd = o["weight_decay"] if o["decoupled_weight_decay"] else 0.0
    return p * (1 - rate * wd) - (rate * m) / (np.sqrt(v) + new["d"] * o["eps"]), new


RULES: dict[str, Rule] = {"Prodigy": prodigy}
TERMS: dict[str, Terms] = {"Prodigy": prodigy_terms}
