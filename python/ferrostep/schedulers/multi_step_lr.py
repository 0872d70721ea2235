"""MultiStepLR."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, real


class MultiStepLR(LRScheduler):
    """Decays the rate at chosen epochs: ``base_lr * gamma**(milestones <= epoch)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    milestones : iterable of int >= 0
        The epochs, in any order; one that is named twice decays twice.
    gamma : float, finite and >= 0, default 0.1
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import MultiStepLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = MultiStepLR(opt, milestones=[1, 3], gamma=0.5)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.1
    0.05
    0.05
    0.025
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"milestones must be an iterable of integers, found {milestones!r}")
        self.milestones, self.gamma = Counter(list(milestones)), gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        if not isinstance(self.milestones, Counter):
            raise ValueError(f"milestones must be a Counter, found {self.milestones!r}")
        for epoch, times in self.milestones.items():
            integer("milestones", epoch, 0)
            integer(f"milestones[{epoch}]", times, 0)
        self.gamma = real("gamma", self.gamma)

    def get_lr(self) -> list[float]:
        # A Counter answers 0 for an epoch that it does not have, and gamma**0 is exactly 1.
        return self._scaled(self.gamma ** self.milestones[self.last_epoch])

    def _get_closed_form_lr(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]
