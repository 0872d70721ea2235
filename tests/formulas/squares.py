"""Models of the rules that divide by the root of squared gradients."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Numbers, decayed, exact


def rmsprop(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, alpha = exact(o["lr"]), exact(o["alpha"])
    eps, mu = exact(o["eps"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    r = alpha * s["square_avg"] + (1 - alpha) * g**2
    new, variance = {"square_avg": r}, r
    if o["centered"]:
        mean = alpha * s["grad_avg"] + (1 - alpha) * g
        variance = r - mean**2
        new["grad_avg"] = mean
    root = (variance + eps).sqrt() if o["eps_inside_sqrt"] else variance.sqrt() + eps
    # The relative error of r grows by this factor when the variance is what little remains of it.
    size *= r / variance
    if mu == 0:
        return p - lr * g / root, lr * size / root, new
    old = s["momentum_buffer"]
    buffer = mu * old + g / root
    return p - lr * buffer, lr * (mu * abs(old) + size / root), new | {"momentum_buffer": buffer}


def adagrad(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    eps = exact(o["eps"])
    p, g, size = decayed(p, g, o)
    total = s["sum"] + g**2
    root = (total + eps).sqrt() if o["eps_inside_sqrt"] else total.sqrt() + eps
    rate = exact(o["lr"]) / (1 + (t - 1) * exact(o["lr_decay"])) / root
    return p - rate * g, rate * size, {"sum": total}


def adadelta(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, rho, eps = exact(o["lr"]), exact(o["rho"]), exact(o["eps"])
    p, g, size = decayed(p, g, o)
    r = rho * s["square_avg"] + (1 - rho) * g**2
    rate = (s["acc_delta"] + eps).sqrt() / (r + eps).sqrt()
    new = {"square_avg": r, "acc_delta": rho * s["acc_delta"] + (1 - rho) * (rate * g) ** 2}
    return p - lr * rate * g, lr * rate * size, new


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 11: r and a*a 8, halved, root, eps, quotient, b, lr 2, subtraction
    fs.RMSprop: Formula(rmsprop, p=3.5, state=3.5),
    # k = 7: s 2, halved, root, eps, lr_t*g 2, quotient, subtraction
    fs.Adagrad: Formula(adagrad, p=2.5, state=1.0),
    # k = 11: two roots 5.5, quotient, times g, times lr 2, subtraction; the state holds d*d, with
    # twice the error of d
    fs.Adadelta: Formula(adadelta, p=3.5, state=6.5),
}
