"""ChainedScheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ferrostep.loading import Loading
from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import Optimizer, mapping
from ferrostep.schedulers.parts import OfParts


class ChainedScheduler(OfParts):
    """Steps several schedulers at once: each goes on from the rate that the one before it left.

    Parameters
    ----------
    schedulers : list of LRScheduler
        At least one; all made on the same optimizer; no `ReduceLROnPlateau`.
    optimizer : optional
        Theirs; only checked.

    Raises
    ------
    TypeError
        One of ``schedulers`` is no scheduler.
    ValueError
        No schedulers, or one that cannot be used here; ``step(epoch)`` with another epoch than 0,
        which begins anew: the rates of the others follow from the steps.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ChainedScheduler, ConstantLR, ExponentialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=1.0)
    >>> warm_up = ConstantLR(opt, factor=0.5, total_iters=2)
    >>> decay = ExponentialLR(opt, gamma=0.5)
    >>> scheduler = ChainedScheduler([warm_up, decay])
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.5
    0.25
    0.25
    0.125
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        # Not the base's constructor: the parts have set the first rates.
        self.optimizer = self._take(schedulers, optimizer)
        self.last_epoch = self._schedulers[0].last_epoch
        self.base_lrs = list(self._schedulers[0].base_lrs)
        self._last_lr = [float(group["lr"]) for group in self._know_groups()]

    def _undo(self) -> None:
        super()._undo()
        for part in self._schedulers:
            part._undo()

    def _begin(self) -> None:
        for part in self._schedulers:
            part._begin()
        self._follow()

    def _follow(self) -> None:
        self.last_epoch = self._schedulers[0].last_epoch
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]

    def _move(self, epoch: int | None) -> None:
        if epoch is None:
            for part in self._schedulers:
                part.step()
        elif epoch == 0:
            for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = base
            for part in self._schedulers:
                part.last_epoch = -1
            self._begin()
        else:
            raise ValueError(
                "epoch must be 0 or None for a ChainedScheduler, whose rates follow from its "
                f"steps, found {epoch!r}; call step() as often"
            )
        self._follow()

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        state = mapping(state_dict)
        parts = state.get("_schedulers")
        if "last_epoch" not in state and isinstance(parts, list) and parts:
            state |= {"last_epoch": parts[0].get("last_epoch")}  # torch has none of its own
        super()._plan_load(state, loading)
