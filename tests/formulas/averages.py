"""Models of averages of weights: the parameter is the average, and the gradient is the weight."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from ferrostep.averages import rules
from support.exact import Formula, Numbers, decayed, exact


def ema(e: Decimal, p: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    decay = exact(o["decay"])
    e, p, size = decayed(e, p, o)
    if o["warmup"]:
        decay = min(decay, Decimal(1 + t) / (10 + t))
    decay = decay if t > 1 else Decimal(0)
    return decay * e + (1 - decay) * p, abs(e) + size, {}


def mean(e: Decimal, p: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    e, p, size = decayed(e, p, o)
    return (e * (t - 1) + p) / t, abs(e) + size, {}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 4: the difference, w, their product, the sum
    rules.EMA: Formula(ema, p=1.5),
    rules.Mean: Formula(mean, p=1.5),  # k = 3: the difference, the quotient, the sum
}
