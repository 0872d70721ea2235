"""Models of the rules that go down the gradient itself, or along a sum of past ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Found, Numbers, decayed, exact


def sgd(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, mu, damp = exact(o["lr"]), exact(o["momentum"]), exact(o["dampening"])
    p, g, size = decayed(p, g, o)
    if mu == 0:
        return p - lr * g, lr * size, {}
    old, first = s["momentum_buffer"], t == 1 and not o["average"]
    part = 1 - mu if o["average"] else 1 - damp
    new = g if first else mu * old + part * g
    large = size if first else mu * abs(old) + abs(part) * size
    step, length = (g + mu * new, size + mu * large) if o["nesterov"] else (new, large)
    return p - lr * step, lr * length, {"momentum_buffer": new}


def momentum(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, mu = exact(o["lr"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    velocity = mu * s["velocity"] - lr * g
    length = mu * abs(s["velocity"]) + lr * size
    if o["nesterov"]:  # the same step once more, from where the velocity leads
        return p + mu * velocity - lr * g, mu * length + lr * size, {"velocity": velocity}
    return p + velocity, length, {"velocity": velocity}


def asgd(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    lr, lambd, alpha, t0 = (exact(o[name]) for name in ("lr", "lambd", "alpha", "t0"))
    p, g, size = decayed(p, g, o)
    eta, mu, ax = s["eta"], s["mu"], s["ax"]
    length = eta * (lambd * abs(p) + size)
    p = p - eta * (lambd * p + g)
    mean = (1 - mu) * ax + mu * p
    eta = lr / (1 + lambd * lr * t) ** alpha
    new = {"ax": (mean, abs(ax) + length), "eta": eta, "mu": 1 / max(Decimal(1), t - t0)}
    return p, length, new


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    fs.SGD: Formula(sgd, p=3.0, state=2.5),  # k = 9: buf 3, d 3, times lr 2, the subtraction
    fs.ASGD: Formula(asgd, p=2.0, state=2.0),  # k = 6: the factor 2, eta*g 2, product, subtraction
    fs.Momentum: Formula(momentum, p=2.5, state=1.5),  # k = 7: v 3, the look-ahead 3, the addition
}
