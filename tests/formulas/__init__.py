"""Every optimizer's formula in exact numbers, and how far a step may be from it.

The files are the families of the reference (`ferrostep.backends.reference`), each with its table.
In the rows, ``k`` counts the roundings that reach p in the longest form of the rule (momentum,
Nesterov, centered; a root halves what came before it).
"""

from __future__ import annotations

import ferrostep as fs
from formulas import (
    averages,
    descent,
    factors,
    layers,
    leaders,
    models,
    moments,
    schedule_free,
    signs,
    squares,
    wrappers,
)
from support.exact import Formula

FORMULAS: dict[type[fs.Optimizer], Formula] = (
    descent.FORMULAS
    | signs.FORMULAS
    | squares.FORMULAS
    | moments.FORMULAS
    | leaders.FORMULAS
    | layers.FORMULAS
    | schedule_free.FORMULAS
    | models.FORMULAS
    | factors.FORMULAS
    | averages.FORMULAS
    | wrappers.FORMULAS
)
