"""LinearLR."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import UP_TO_ONE, Optimizer, integer, real


class LinearLR(LRScheduler):
    """Changes the rate linearly between two multiples of the initial one (a warm-up, mostly).

    ``base_lr * (start_factor + (end_factor - start_factor) * min(epoch, total_iters)
    / total_iters)``

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    start_factor : float in [0, 1], default 1/3
        The multiple at epoch 0.  From 0, which torch refuses, the first step goes by the closed
        form: from ``base_lr``, whatever other schedulers do.
    end_factor : float in [0, 1], default 1.0
        The multiple from epoch ``total_iters`` on.
    total_iters : int >= 1, default 5
        The epochs from one to the other.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LinearLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = LinearLR(opt, start_factor=0.5, total_iters=4)
    >>> for epoch in range(6):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.0500
    0.0625
    0.0750
    0.0875
    0.1000
    0.1000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.start_factor = real("start_factor", self.start_factor, UP_TO_ONE)
        self.end_factor = real("end_factor", self.end_factor, UP_TO_ONE)
        self.total_iters = integer("total_iters", self.total_iters, 1)

    def _first_lr(self) -> list[float]:
        return self._scaled(self.start_factor if self.last_epoch == 0 else 1.0)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch > self.total_iters:
            return self._first_lr()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return self._scaled(1.0 + rise / before) if before else self._get_closed_form_lr()

    def _get_closed_form_lr(self) -> list[float]:
        rise, done = self.end_factor - self.start_factor, min(self.total_iters, self.last_epoch)
        return [
            base * (self.start_factor + rise * done / self.total_iters) for base in self.base_lrs
        ]
