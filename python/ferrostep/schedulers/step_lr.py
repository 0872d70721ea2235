"""StepLR."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, real


class StepLR(LRScheduler):
    """Decays the rate by a factor every few epochs: ``base_lr * gamma**(epoch // step_size)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    step_size : int >= 1
        Epochs from one decay to the next.
    gamma : float, finite and >= 0, default 0.1
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import StepLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = StepLR(opt, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.1
    0.1
    0.05
    0.05
    >>> scheduler
    StepLR(step_size=2, gamma=0.5): epoch 4, lr [0.025]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.step_size = integer("step_size", self.step_size, 1)
        self.gamma = real("gamma", self.gamma)

    def get_lr(self) -> list[float]:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma if due else 1.0)

    def _get_closed_form_lr(self) -> list[float]:
        decay = self.gamma ** (self.last_epoch // self.step_size)
        return [base * decay for base in self.base_lrs]
