"""CosineAnnealingWarmRestarts."""

from __future__ import annotations

import math

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, real


class CosineAnnealingWarmRestarts(LRScheduler):
    """Anneals the rate along half a cosine, again and again: SGDR.

    ``eta_min + (base_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``, where ``T_cur`` epochs
    have passed since the last restart, of ``T_i`` until the next.  Loshchilov & Hutter,
    arXiv:1608.03983.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.  Resumed with ``last_epoch`` it goes on in the cycle of that epoch,
        where torch takes every epoch for one of the first cycle.
    T_0 : int >= 1
        Epochs of the first cycle.
    T_mult : int >= 1, default 1
        By how much each cycle is longer than the one before it.
    eta_min : float, finite and >= 0, default 0.0
        The rate that a cycle falls towards.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import CosineAnnealingWarmRestarts
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(opt, T_0=2, T_mult=2)
    >>> for epoch in range(7):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    1.0000
    0.5000
    1.0000
    0.8536
    0.5000
    0.1464
    1.0000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = 0
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        for name in ("T_0", "T_i", "T_mult"):
            setattr(self, name, integer(name, getattr(self, name), 1))
        self.eta_min = real("eta_min", self.eta_min)
        real("T_cur", self.T_cur)

    def _first_lr(self) -> list[float]:
        self._find(self.last_epoch)
        return self.get_lr()

    def get_lr(self) -> list[float]:
        low, height = self.eta_min, 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [low + (base - low) * height / 2 for base in self.base_lrs]

    def _find(self, epoch: float) -> None:
        """Find the cycle of an epoch: added up, where torch's logarithm may end one too early."""
        start, self.T_i = 0, self.T_0
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
            return
        while epoch >= start + self.T_i:
            start, self.T_i = start + self.T_i, self.T_i * self.T_mult
        self.T_cur = epoch - start

    def step(self, epoch: float | None = None) -> None:
        """Set the next epoch's rates; with ``epoch``, which may lie between two, go there."""
        super().step(epoch)  # type: ignore[arg-type]

    def _move(self, epoch: float | None) -> None:
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        else:
            place = real("epoch", epoch)
            self._find(place)
            self.last_epoch = math.floor(place)
        self._apply(self.get_lr())
