"""ExponentialLR."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, real


class ExponentialLR(LRScheduler):
    """Decays the rate by a factor every epoch: ``base_lr * gamma**epoch``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    gamma : float, finite and >= 0
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ExponentialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = ExponentialLR(opt, gamma=0.5)
    >>> info = opt.step([np.ones(3)])
    >>> scheduler.step()
    >>> info = opt.step([np.ones(3)])
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.025]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.gamma = real("gamma", self.gamma)

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        return self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]
