"""ConstantLR."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import UP_TO_ONE, Optimizer, integer, real


class ConstantLR(LRScheduler):
    """Makes the rate smaller by a factor for some epochs, then takes that back.

    ``base_lr * factor`` before epoch ``total_iters``, ``base_lr`` from there on.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    factor : float in [0, 1], default 1/3
        The multiple of the first epochs.  0, which torch divides by, is taken back by the closed
        form: to ``base_lr``, whatever other schedulers do.
    total_iters : int >= 1, default 5
        How many epochs those are.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ConstantLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = ConstantLR(opt, factor=0.5, total_iters=2)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.05
    0.05
    0.1
    0.1
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.factor = real("factor", self.factor, UP_TO_ONE)
        self.total_iters = integer("total_iters", self.total_iters, 1)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        if self.last_epoch != self.total_iters:
            return self._scaled(1.0)
        return self._scaled(1.0 / self.factor) if self.factor else list(self.base_lrs)

    def _get_closed_form_lr(self) -> list[float]:
        over = self.last_epoch >= self.total_iters
        return [base * (self.factor + over * (1 - self.factor)) for base in self.base_lrs]
