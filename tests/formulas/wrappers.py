"""Models of what wrapped optimizers do beside the steps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from ferrostep.evaluated import Towards
from ferrostep.wrappers import rules
from support.exact import Formula, Numbers, decayed, exact


def slow(s: Decimal, p: Decimal, _: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    alpha = exact(o["alpha"])
    s, p, size = decayed(s, p, o)
    return s + alpha * (p - s), abs(s) + size, {}


def total(a: Decimal, g: Decimal, _: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    a, g, size = decayed(a, g, o)
    return (g if t == 1 else a + g), abs(a) + size, {}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 3: the difference, its product, the sum
    rules.Slow: Formula(slow, p=2.0),
    Towards: Formula(slow, p=2.0),  # the same
    rules.Sum: Formula(total, p=1.5),  # k = 1, and what decay adds
}
