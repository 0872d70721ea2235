"""Models of the rules that go by the signs of gradients."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Numbers, cautious, decayed, exact


def adaptive_gains(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, beta, mu = exact(o["lr"]), exact(o["beta"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    gain, v = s["gain"], s.get("velocity", Decimal(0))
    if o["compare"] == "velocity":
        gain = gain + beta if v * g < 0 else gain * (1 - beta)
    elif o["compare"] == "sign":
        same = v * g > 0 or v == g == 0
        gain = gain * (1 - beta) if same else gain + beta
    elif s["prev"] * g > 0:
        gain = gain + beta
    elif s["prev"] * g < 0:
        gain = gain * (1 - beta)
    gain = min(max(gain, exact(o["min_gain"])), exact(o["max_gain"]))
    v_new = mu * v - lr * gain * g
    everything = {"gain": gain, "prev": g, "velocity": v_new}
    return p + v_new, mu * abs(v) + lr * gain * size, {name: everything[name] for name in s}


def rprop(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    p, g, _ = decayed(p, g, o)
    eta_minus, eta_plus = map(exact, o["etas"])
    low, high = map(exact, o["step_sizes"])
    step = s["step_size"]
    if s["prev"] * g > 0:
        step *= eta_plus
    elif s["prev"] * g < 0:
        step *= eta_minus
        g = Decimal(0)
    step = min(max(step, low), high)
    sign = (g > 0) - (g < 0)
    return p - sign * step, step, {"prev": g, "step_size": step}


def lion(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, (b1, b2) = exact(o["lr"]), map(exact, o["betas"])
    p, g, _ = decayed(p, g, o)
    u = b1 * s["exp_avg"] + (1 - b1) * g
    sign = (u > 0) - (u < 0)
    return p - lr * sign, lr, {"exp_avg": b2 * s["exp_avg"] + (1 - b2) * g}


def signum(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, b = exact(o["lr"]), exact(o["momentum"])
    p, g, _ = decayed(p, g, o)
    m = b * s.get("exp_avg", Decimal(0)) + (1 - b) * g
    sign = (m > 0) - (m < 0)
    return p - lr * sign, lr, {"exp_avg": m} if b else {}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 7: gain 2, times g, times lr 2, v, the addition
    fs.AdaptiveGains: Formula(adaptive_gains, p=2.5, state=3.0),
    # k = 3: step times eta 2, the subtraction; the sign is exact
    fs.Rprop: Formula(rprop, p=1.5, state=1.0),
    # k = 2: lr, the subtraction; the sign is exact
    fs.Lion: replace(cautious(lion), p=2.0, state=2.5),
    fs.Signum: Formula(signum, p=1.5, state=2.5),  # k = 2, as Lion's
}
