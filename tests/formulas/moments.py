"""Models of the rules that divide an average of gradients by the root of an average of squares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Numbers, decayed, exact, nearest


def adam(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        v = max(v, s["max_exp_avg_sq"])
        new["max_exp_avg_sq"] = v
    m_hat, v_hat, eps_hat = m, v, eps
    if o["bias_correction"]:
        rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
        m_hat, v_hat, large = m / rest1, v / rest2, large / rest1
        if o["epsilon_hat"]:
            eps_hat = eps / rest2.sqrt()
    root = v_hat.sqrt() + eps_hat
    return p - lr * m_hat / root, lr * large / root, new


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 13: step*m 5, root of v 3, times s 2, eps, quotient, subtraction
    fs.Adam: Formula(adam, p=3.5, state=2.5),
    fs.AdamW: Formula(adam, p=4.0, state=2.5),  # as Adam, and the decay
}
