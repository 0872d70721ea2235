"""Models of schedule-free rules: the average itself, and the parameter between it and z."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Found, Numbers, decayed, exact, nearest


def _averaged(
    y: Decimal, n: Decimal, size: Decimal, s: Numbers, o: Any, t: int, beta: Decimal
) -> tuple[Decimal, Decimal, Found]:
    lr, warmup = exact(o["lr"]), exact(o["warmup_steps"])
    lr *= min(Decimal(1), t / warmup) if warmup else 1
    top = max(s["lr_max"], lr)
    w = exact(t) ** exact(o["r"]) * top ** exact(o["weight_lr_power"])
    total = s["weight_sum"] + w
    z = y if s["z"].is_nan() else s["z"]
    x = (y - (1 - beta) * z) / beta
    new_z = z - lr * n
    new_x = x + w / total * (new_z - x)
    new_y = (1 - beta) * new_z + beta * new_x
    new = {"weight_sum": total, "lr_max": top, "averaged": s["averaged"]}
    c = w / total
    length = c * abs(z - y) + lr * (1 - beta * (1 - c)) * size
    return new_y, length, {**new, "z": (new_z, abs(z) + lr * size)}


def _decay(o: Any) -> Decimal:
    return exact(o["weight_decay"]) if o["decoupled_weight_decay"] else Decimal(0)


def sgd(y: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    own = _decay(o)
    _, g, size = decayed(y, g, o)
    return _averaged(y, g + own * y, size + own * abs(y), s, o, t, exact(o["momentum"]))


def adamw(y: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    own, b2 = _decay(o), exact(o["betas"][1])
    _, g, size = decayed(y, g, o)
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    root = (v / (1 - nearest(b2**t))).sqrt() + exact(o["eps"])
    beta = exact(o["betas"][0])
    new, length, state = _averaged(y, g / root + own * y, size / root + own * abs(y), s, o, t, beta)
    return new, length, {**state, "exp_avg_sq": v}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    fs.ScheduleFreeSGD: Formula(sgd, p=4.0, state=3.0),
    fs.ScheduleFreeAdamW: Formula(adamw, p=5.0, state=4.0),
}
