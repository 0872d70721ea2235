"""SequentialLR."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ferrostep.loading import Loading
from ferrostep.schedulers.base import LRScheduler, State, plan_load
from ferrostep.schedulers.checks import Optimizer, integer, mapping, param_groups
from ferrostep.schedulers.reduce_lr_on_plateau import ReduceLROnPlateau
from ferrostep.schedulers.whole import whole


class SequentialLR(LRScheduler):
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
    ...     scheduler.step()
    0.050
    0.075
    0.100
    0.050
    0.025
    """

    # What the base keeps in base_lrs, each of the schedulers has in its own state.
    _not_state: ClassVar[set[str]] = {"optimizer", "_schedulers", "base_lrs"}

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        param_groups(optimizer)
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        if not self._schedulers:
            raise ValueError("schedulers must have at least one scheduler, found none")
        for i, scheduler in enumerate(self._schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"schedulers[{i}] must be a scheduler, found {scheduler!r}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"schedulers[{i}] is a ReduceLROnPlateau, whose step needs a metric; "
                    "call it beside the SequentialLR"
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"schedulers[{i}] must be on the same optimizer, found another's")
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

    @whole
    def step(self, epoch: int | None = None) -> None:
        """Set the next epoch's rates; with ``epoch``, go there by the closed form instead."""
        self._follow_groups()
        now = self.last_epoch + 1 if epoch is None else integer("epoch", epoch, 0)
        index = bisect_right(self._milestones, now)
        begun = self._milestones[index - 1] if index else 0
        scheduler = self._schedulers[index]
        scheduler.step(now - begun if epoch is not None or (index and now == begun) else None)
        self.last_epoch, self._last_lr = now, scheduler.get_last_lr()

    def state_dict(self) -> State:
        return self._own_state() | {"_schedulers": [s.state_dict() for s in self._schedulers]}

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        state = mapping(state_dict)
        loaded = state.pop("_schedulers", None)
        if not isinstance(loaded, list) or len(loaded) != len(self._schedulers):
            raise ValueError(
                f"_schedulers in state_dict must be a list of {len(self._schedulers)} states, "
                f"found {loaded!r:.200}"
            )
        for scheduler, new in zip(self._schedulers, loaded, strict=True):
            plan_load(scheduler, new, loading)
        super()._plan_load(state, loading)

    def _dicts(self) -> list[State]:
        return [*super()._dicts(), *(d for s in self._schedulers for d in s._dicts())]
