"""WarmupCosineLR."""

from __future__ import annotations

import math

from ferrostep.schedulers.checks import UP_TO_ONE, Optimizer, integer, real
from ferrostep.schedulers.factor import ByFactor, warmed


class WarmupCosineLR(ByFactor):
    """A straight line up to the initial rate, then half a cosine down: of most transformers.

    ``base_lr * (start_factor + (1 - start_factor) * t / warmup_steps)`` before ``warmup_steps``,
    then ``base_lr * (end_factor + (1 - end_factor) * (1 + cos(pi * x)) / 2)``, where ``x`` is the
    part of the other steps that is done; from ``total_steps`` on ``base_lr * end_factor``.  Call
    ``step()`` after every batch.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    total_steps : int >= 1
        Steps until the lowest rate, those of the warm-up among them.
    warmup_steps : int >= 0 and < total_steps, default 0
        Steps until the initial rate.
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
    >>> from ferrostep.schedulers import WarmupCosineLR
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> scheduler = WarmupCosineLR(opt, total_steps=6, warmup_steps=2, start_factor=0.5)
    >>> for batch in range(7):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.5000
    0.7500
    1.0000
    0.8536
    0.5000
    0.1464
    0.0000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        warmup_steps: int = 0,
        start_factor: float = 0.0,
        end_factor: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps, self.warmup_steps = total_steps, warmup_steps
        self.start_factor, self.end_factor = start_factor, end_factor
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.total_steps = integer("total_steps", self.total_steps, 1)
        self.warmup_steps = integer("warmup_steps", self.warmup_steps, 0)
        if self.warmup_steps >= self.total_steps:
            raise ValueError(
                f"warmup_steps must be below total_steps, which is {self.total_steps}, "
                f"found {self.warmup_steps}"
            )
        self.start_factor = real("start_factor", self.start_factor, UP_TO_ONE)
        self.end_factor = real("end_factor", self.end_factor, UP_TO_ONE)

    def _factor(self, epoch: int) -> float:
        if epoch < self.warmup_steps:
            return warmed(epoch, self.warmup_steps, self.start_factor)
        if epoch >= self.total_steps:
            return self.end_factor
        done = (epoch - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return self.end_factor + (1 - self.end_factor) * (1 + math.cos(math.pi * done)) / 2
