"""What wrappers do beside the steps, as optimizers that nobody sees: see `averages.rules`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.averages.rules import share
from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate


class Slow(Optimizer):
    """Lookahead's slow weights, which follow the fast ones; `lr` as in `averages.rules.EMA`."""

    lr: Rate = 1.0
    _: KW_ONLY
    alpha: Annotated[float, share] = 0.5

    RULE = "Slow"


class Sum(Optimizer):
    """A sum of gradients, which begins with the first, whatever was there before."""

    lr: Rate = 1.0

    RULE = "Sum"
