"""Models of the rules whose step size is one for the whole model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Element, Formula, Found, Numbers, decayed, exact, nearest


def _given(p: Decimal, g: Decimal, o: Any) -> tuple[Decimal, Decimal, Decimal]:
    """What the rule is given, and the size of the gradient: decoupled decay is its own."""
    return decayed(p, g, o | {"weight_decay": 0.0} if o["decoupled_weight_decay"] else o)


def _rates(s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Decimal]:
    """How long a step is, what g weighs in it, and the decay rate of these weights."""
    b1, b2 = map(exact, o["betas"])
    rate = s["d"] * exact(o["lr"])
    if o["bias_correction"]:
        rate *= (1 - nearest(b2**t)).sqrt() / (1 - nearest(b1**t))
    weight = s["d"] / exact(o["d0"])
    return rate, weight, b2.sqrt() if o["beta3"] is None else exact(o["beta3"])


def _sum(g: Decimal, s: Numbers, o: Any, t: int) -> Decimal:
    rate, weight, b3 = _rates(s, o, t)
    return b3 * s["s"] + weight * (s["d"] if o["safeguard_warmup"] else rate) * g


def _begun(p: Decimal, s: Numbers) -> Decimal:
    return p if s["p0"].is_nan() else s["p0"]


def prodigy_sums(elements: list[Element], o: Any, t: int) -> tuple[Decimal, Decimal, Decimal]:
    """The two sums, and the size of the first."""
    terms, length = [], Decimal(0)
    for before, gradient, s in elements:
        p, g, size = _given(before, gradient, o)
        rate, weight, _ = _rates(s, o, t)
        way = weight * rate * (_begun(p, s) - p)
        terms.append((way * g, abs(way) * size))
        length += abs(_sum(g, s, o, t))
    zero = Decimal(0)
    return sum((x for x, _ in terms), zero), length, sum((size for _, size in terms), zero)


def prodigy(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    (b1, b2), eps, old = map(exact, o["betas"]), exact(o["eps"]), s["d"]
    p, g, size = _given(p, g, o)
    rate, weight, b3 = _rates(s, o, t)
    m = b1 * s["exp_avg"] + (1 - b1) * old * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * (old * g) ** 2
    travelled, length, large = o["measured"]
    numerator = b3 * s["numerator"] + travelled
    found = exact(o["d_coef"]) * numerator / length
    d = max(old, found) if old == exact(o["d0"]) else old
    most = max(s["d_max"], found)
    d = min(most, d * exact(o["growth_rate"]))
    root = v.sqrt() + d * eps
    decay = rate * exact(o["weight_decay"]) if o["decoupled_weight_decay"] else Decimal(0)
    of_s = b3 * abs(s["s"]) + weight * (old if o["safeguard_warmup"] else rate) * size
    of_n = b3 * abs(s["numerator"]) + large
    of_d = exact(o["d_coef"]) * of_n / length
    return (
        p * (1 - decay) - rate * m / root,
        rate * (b1 * abs(s["exp_avg"]) + (1 - b1) * old * size) / root,
        {
            "exp_avg": (m, b1 * abs(s["exp_avg"]) + (1 - b1) * old * size),
            "exp_avg_sq": v,
            "s": (_sum(g, s, o, t), of_s),
            "p0": (_begun(p, s), abs(p)),
            "d": (d, max(of_d, old)),
            "d_max": (most, max(of_d, s["d_max"])),
            "numerator": (numerator, of_n),
        },
    )


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 9: m, its rate (two each), v (five, halved), the division, the subtraction
    fs.Prodigy: Formula(prodigy, p=4.0, state=2.5, measured=prodigy_sums, of_rounded=True),
}
