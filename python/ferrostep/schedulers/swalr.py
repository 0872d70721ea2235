"""SWALR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer, one_of, per_group, real
from ferrostep.schedulers.whole import whole


class SWALR(LRScheduler):
    """Takes the rate from where it is to a fixed one: for averages of weights.

    ``(1 - a) * lr + a * swa_lr``, where ``a`` goes from 0 to 1 in ``anneal_epochs`` epochs, along
    half a cosine or a straight line.  Step it in the place of another scheduler once
    `ferrostep.averages.Mean` has begun.  Izmailov et al., arXiv:1803.05407.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.  The groups keep ``swa_lr``.
    swa_lr : float or list of float, finite and >= 0
        The rate at the end, for all groups or for each.
    anneal_epochs : int >= 0, default 10
        Epochs until then.
    anneal_strategy : {"cos", "linear"}, default "cos"
        The way there.

    Raises
    ------
    ValueError
        An argument is out of its bounds, or a group that was added has no ``"swa_lr"``.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import SWALR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.5)
    >>> scheduler = SWALR(opt, swa_lr=0.1, anneal_epochs=2, anneal_strategy="linear")
    >>> for epoch in range(4):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.5000
    0.3000
    0.1000
    0.1000
    """

    @whole
    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = per_group("swa_lr", swa_lr, optimizer)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy: str = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.anneal_epochs = integer("anneal_epochs", self.anneal_epochs, 0)
        self._anneal_strategy = one_of("anneal_strategy", self._anneal_strategy, "cos", "linear")

    def _weight(self, epoch: int) -> float:
        """How much of the way is behind us."""
        done = max(0, min(1, epoch / max(1, self.anneal_epochs)))
        return done if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * done)) / 2

    def get_lr(self) -> list[float]:
        epoch = self.last_epoch if self.anneal_epochs else max(1, self.last_epoch)
        before, now = self._weight(epoch - 1), self._weight(epoch)
        rates = []
        for i, group in enumerate(self.optimizer.param_groups):
            if "swa_lr" not in group:
                raise ValueError(
                    f"param_groups[{i}] has no 'swa_lr', which SWALR takes its rate to; "
                    "give add_param_group one"
                )
            lr, last = group["lr"], real(f"param_groups[{i}]['swa_lr']", group["swa_lr"])
            start = last if before == 1 else (lr - before * last) / (1 - before)
            rates.append(last * now + start * (1 - now))
        return rates
