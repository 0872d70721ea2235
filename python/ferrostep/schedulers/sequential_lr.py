"""SequentialLR."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, integer
from ferrostep.schedulers.parts import OfParts


class SequentialLR(OfParts):
    """Runs one scheduler after another, each from its own epoch 0: ``lr_i(epoch - milestone_i)``.

    Construction puts the rates back to ``initial_lr`` and starts the first scheduler again, since
    the others' construction has changed them.  Each of the others begins at its milestone with
    ``step(0)``, so by its closed form and not from the rate the one before it left.

    Parameters
    ----------
    optimizer
        See `LRScheduler`.
    schedulers : list of LRScheduler
        At least one; all made on ``optimizer``; no `ReduceLROnPlateau`.
    milestones : list of int >= 0
        In order, one fewer than schedulers: the epochs at which the second, third, ... begin.
    last_epoch : int >= -1, default -1
        Only where the count begins, as in torch; to resume, use `load_state_dict`.

    Raises
    ------
    TypeError
        One of ``schedulers`` is no scheduler.
    ValueError
        No schedulers, one that cannot be used here, or milestones that do not fit.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ExponentialLR, LinearLR, SequentialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> warm_up = LinearLR(opt, start_factor=0.5, total_iters=2)
    >>> decay = ExponentialLR(opt, gamma=0.5)
    >>> scheduler = SequentialLR(opt, [warm_up, decay], milestones=[2])
    >>> for epoch in range(5):
    ...     print(f"{opt.param_groups[0]['lr']:.3f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.050
    0.075
    0.100
    0.050
    0.025
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self._take(schedulers, optimizer)
        if not isinstance(milestones, Iterable):
            raise TypeError(f"milestones must be a list of integers, found {milestones!r:.200}")
        self._milestones = list(milestones)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        if len(self._milestones) != len(self._schedulers) - 1:
            raise ValueError(
                f"milestones has {len(self._milestones)} values, wanted "
                f"{len(self._schedulers) - 1}: one fewer than schedulers"
            )
        self._milestones = [integer("milestones", m, 0) for m in self._milestones]
        if self._milestones != sorted(self._milestones):
            raise ValueError(f"milestones must be in increasing order, found {self._milestones}")

    def _begin(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = float(group["initial_lr"])
        for scheduler in self._schedulers:
            scheduler._undo()
        self.last_epoch += 1
        self._start(self._schedulers[bisect_right(self._milestones, 0)])

    def _start(self, scheduler: LRScheduler) -> None:
        scheduler._begin()
        self._last_lr = scheduler.get_last_lr()

    def _move(self, epoch: int | None) -> None:
        now = self.last_epoch + 1 if epoch is None else integer("epoch", epoch, 0)
        index = bisect_right(self._milestones, now)
        begun = self._milestones[index - 1] if index else 0
        scheduler = self._schedulers[index]
        scheduler.step(now - begun if epoch is not None or (index and now == begun) else None)
        self.last_epoch, self._last_lr = now, scheduler.get_last_lr()
