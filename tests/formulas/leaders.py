"""Models of the rules that make the parameter anew from sums of all gradients."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Formula, Found, Numbers, decayed, exact


def ftrl(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    lr, l1, l2, beta = (exact(o[name]) for name in ("lr", "l1", "l2", "beta"))
    p, g, size = decayed(p, g, o)
    n, z = s["accumulator"], s["linear"]
    new = n + g**2
    shrunk = 2 * exact(o["l2_shrinkage"]) * p
    grown = (new.sqrt() - n.sqrt()) / lr * p
    large = abs(z) + size + abs(shrunk) + (new.sqrt() + n.sqrt()) / lr * abs(p)
    z = z + g + shrunk - grown
    divisor = new.sqrt() / lr + 2 * l2 + beta / lr
    p = (min(max(z, -l1), l1) - z) / divisor
    return p, large / divisor, {"accumulator": new, "linear": (z, large)}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 10: roots and their difference 3, times 2, sums 2, less 1, quotient 2
    fs.FTRL: Formula(ftrl, p=3.5),
}
