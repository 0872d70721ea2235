"""What a state begins with, written a second time."""

from __future__ import annotations

import math
from typing import Any

import ferrostep as fs
from cases import Case

#: Sums and averages of squares, which may begin elsewhere than at 0.
SQUARES = ("sum", "exp_avg_sq", "square_avg", "accumulator")


def initial(case: Case, name: str, **more: Any) -> float:
    options = case.make(None, **more).defaults
    if name == "momentum_buffer" and case.optimizer in (fs.SGD, fs.LARS):
        return 0.0 if options.get("average") else -0.0
    if name in SQUARES or case.optimizer is fs.Yogi:
        return float(options.get("initial_accumulator_value", 0.0))
    return {"step_size": options["lr"], "gain": 1.0, "p0": math.nan, "z": math.nan}.get(name, 0.0)
