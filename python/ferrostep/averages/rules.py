"""The rules of averages, as optimizers that nobody sees.

What such an optimizer updates is the averages, and what it gets as gradients is the weights. So
checks, layouts, types, threads, devices and bits are those of every optimizer.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, number

share = number(0.0, 1.0, upper_open=False)


class EMA(Optimizer):
    """The rule of `averages.EMA`; `lr` is there because every group has one, and does nothing."""

    lr: Rate = 1.0
    _: KW_ONLY
    decay: Annotated[float, share] = 0.999
    warmup: bool = False

    RULE = "EMA"


class Mean(Optimizer):
    """The rule of `averages.Mean`; `lr` as in `EMA`."""

    lr: Rate = 1.0

    RULE = "Mean"
