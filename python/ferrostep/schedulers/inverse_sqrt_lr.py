"""InverseSqrtLR."""

from __future__ import annotations

import math

from ferrostep.schedulers.checks import POSITIVE, Optimizer, integer, real
from ferrostep.schedulers.factor import ByFactor, warmed


class InverseSqrtLR(ByFactor):
    """A straight line up to the initial rate, then down with the inverse square root of the step.

    ``base_lr * t / warmup_steps`` before ``warmup_steps``, then ``base_lr / sqrt((t + timescale -
    warmup_steps) / timescale)``: there is no last step.  Call ``step()`` after every batch.  Zhai
    et al., arXiv:2106.04560 (and transformers' ``inverse_sqrt``).

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    warmup_steps : int >= 0
        Steps until the initial rate; the first of them moves nothing.
    timescale : float > 0, optional
        Steps from there until the rate has fallen to ``1 / sqrt(2)`` of it.  If None,
        ``warmup_steps``, so that the rate falls with ``1 / sqrt(t)``, or 10,000 without a warm-up.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import InverseSqrtLR
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> scheduler = InverseSqrtLR(opt, warmup_steps=2)
    >>> for batch in range(6):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.0000
    0.5000
    1.0000
    0.8165
    0.7071
    0.6325
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        timescale: float | None = None,
        last_epoch: int = -1,
    ) -> None:
        self.warmup_steps, self.timescale = warmup_steps, timescale
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.warmup_steps = integer("warmup_steps", self.warmup_steps, 0)
        if self.timescale is not None:
            self.timescale = real("timescale", self.timescale, POSITIVE)

    def _factor(self, epoch: int) -> float:
        if epoch < self.warmup_steps:
            return warmed(epoch, self.warmup_steps, 0.0)
        scale = self.timescale or self.warmup_steps or 10_000
        return 1.0 / math.sqrt((epoch + (scale - self.warmup_steps)) / scale)
