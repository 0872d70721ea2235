"""WarmupStableDecayLR."""

from __future__ import annotations

import math
from typing import Literal

from ferrostep.schedulers.checks import POSITIVE, UP_TO_ONE, Optimizer, integer, one_of, real
from ferrostep.schedulers.factor import ByFactor, warmed


class WarmupStableDecayLR(ByFactor):
    """A straight line up to the initial rate, long nothing, then down in the last steps: WSD.

    ``base_lr * (start_factor + (1 - start_factor) * t / warmup_steps)`` before ``warmup_steps``;
    ``base_lr`` until ``decay_steps`` before the end; then ``base_lr * (end_factor + (1 -
    end_factor) * d(x))``, where ``x`` is the part of the decay that is done: ``d`` is ``1 - x``
    ("linear"), ``1 - sqrt(x)`` ("1-sqrt"), ``(1 + cos(pi * x)) / 2`` ("cosine") or ``1 -
    x**power`` ("power").  From ``total_steps`` on it stays ``base_lr * end_factor``.  Call
    ``step()`` after every batch.  Where the decay begins can be decided late: set the attribute
    ``total_steps`` anew while the rate is still constant.  Hu et al., arXiv:2404.06395 (MiniCPM);
    Hägele et al., arXiv:2405.18392, found 1-sqrt the best.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    total_steps : int >= 1
        All steps, those of the warm-up and of the decay among them.
    warmup_steps : int >= 0
        Steps until the initial rate.
    decay_steps : int >= 0
        Steps of the decay; with those of the warm-up at most ``total_steps``.
    decay : {"linear", "1-sqrt", "cosine", "power"}, default "1-sqrt"
        The shape of the decay.
    power : float > 0, default 2.0
        The power of "power".
    start_factor : float in [0, 1], default 0.0
        The multiple of the first step; from 0 the first step moves nothing.
    end_factor : float in [0, 1], default 0.0
        The multiple at the end.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import WarmupStableDecayLR
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> scheduler = WarmupStableDecayLR(opt, total_steps=8, warmup_steps=2, decay_steps=4)
    >>> for batch in range(9):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.0000
    0.5000
    1.0000
    1.0000
    1.0000
    0.5000
    0.2929
    0.1340
    0.0000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        warmup_steps: int,
        decay_steps: int,
        decay: Literal["linear", "1-sqrt", "cosine", "power"] = "1-sqrt",
        power: float = 2.0,
        start_factor: float = 0.0,
        end_factor: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps, self.warmup_steps = total_steps, warmup_steps
        self.decay_steps, self.power = decay_steps, power
        self.decay: str = decay
        self.start_factor, self.end_factor = start_factor, end_factor
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.total_steps = integer("total_steps", self.total_steps, 1)
        self.warmup_steps = integer("warmup_steps", self.warmup_steps, 0)
        self.decay_steps = integer("decay_steps", self.decay_steps, 0)
        if self.warmup_steps + self.decay_steps > self.total_steps:
            raise ValueError(
                f"warmup_steps and decay_steps must be at most {self.total_steps} together, the "
                f"total_steps, found {self.warmup_steps} and {self.decay_steps}"
            )
        self.decay = one_of("decay", self.decay, "linear", "1-sqrt", "cosine", "power")
        self.power = real("power", self.power, POSITIVE)
        self.start_factor = real("start_factor", self.start_factor, UP_TO_ONE)
        self.end_factor = real("end_factor", self.end_factor, UP_TO_ONE)

    def _left(self, done: float) -> float:
        if self.decay == "linear":
            return 1 - done
        if self.decay == "1-sqrt":
            return 1 - math.sqrt(done)
        if self.decay == "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        return float(1 - done**self.power)

    def _factor(self, epoch: int) -> float:
        if epoch < self.warmup_steps:
            return warmed(epoch, self.warmup_steps, self.start_factor)
        if epoch >= self.total_steps:
            return self.end_factor
        passed = epoch - (self.total_steps - self.decay_steps)
        if passed <= 0:
            return 1.0
        return self.end_factor + (1 - self.end_factor) * self._left(passed / self.decay_steps)
