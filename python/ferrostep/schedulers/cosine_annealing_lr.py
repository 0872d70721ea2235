"""CosineAnnealingLR."""

from __future__ import annotations

import math

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, real


class CosineAnnealingLR(LRScheduler):
    """Anneals the rate along half a cosine (without restarts: past ``T_max`` it rises again).

    ``eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    T_max : int >= 1
        The epoch of the lowest rate.
    eta_min : float, finite and >= 0, default 0.0
        The lowest rate.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import CosineAnnealingLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = CosineAnnealingLR(opt, T_max=4)
    >>> for epoch in range(5):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.1000
    0.0854
    0.0500
    0.0146
    0.0000
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.T_max = integer("T_max", self.T_max, 1)
        self.eta_min = real("eta_min", self.eta_min)

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        t, T, low = self.last_epoch, self.T_max, self.eta_min
        now = self._scaled(1.0)
        if (t - 1 - T) % (2 * T) == 0:  # just after a minimum, where the ratio below is x / 0
            rise = 1 - math.cos(math.pi / T)
            return [
                lr + (base - low) * rise / 2 for lr, base in zip(now, self.base_lrs, strict=True)
            ]
        ratio = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return [ratio * (lr - low) + low for lr in now]

    def _get_closed_form_lr(self) -> list[float]:
        height, low = 1 + math.cos(math.pi * self.last_epoch / self.T_max), self.eta_min
        return [low + (base - low) * height / 2 for base in self.base_lrs]
