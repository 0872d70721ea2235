"""PolynomialLR."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, real


class PolynomialLR(LRScheduler):
    """Lets the rate fall to 0 along a power: ``base_lr * (1 - epoch / total_iters)**power``.

    From epoch ``total_iters`` on it stays 0.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    total_iters : int >= 1, default 5
        The epoch at which the rate is 0.
    power : float, finite and >= 0, default 1.0
        The power; 1 is a straight line.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import PolynomialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> scheduler = PolynomialLR(opt, total_iters=4, power=2.0)
    >>> for epoch in range(5):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    1.0000
    0.5625
    0.2500
    0.0625
    0.0000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.total_iters = integer("total_iters", self.total_iters, 1)
        self.power = real("power", self.power)

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        t, T = self.last_epoch, self.total_iters
        if t > T:
            return self._scaled(1.0)
        return self._scaled(((1.0 - t / T) / (1.0 - (t - 1) / T)) ** self.power)

    def _get_closed_form_lr(self) -> list[float]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]
