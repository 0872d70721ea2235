"""Schedulers that are made of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ferrostep.loading import Loading
from ferrostep.schedulers.base import LRScheduler, State, plan_load
from ferrostep.schedulers.checks import Optimizer, mapping, param_groups
from ferrostep.schedulers.reduce_lr_on_plateau import ReduceLROnPlateau


class OfParts(LRScheduler):
    """A scheduler whose state is that of others, all on the same optimizer.

    Within a `SequentialLR` it begins at its epoch 0 as any other; torch's is a step ahead there.
    """

    # What the base keeps in base_lrs, each of the schedulers has in its own state.
    _not_state: ClassVar[set[str]] = {"optimizer", "_schedulers", "base_lrs"}
    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> Optimizer:
        """Check the parts, keep them, and return their optimizer."""
        if not isinstance(schedulers, Iterable):
            raise TypeError(f"schedulers must be a list of schedulers, found {schedulers!r:.200}")
        parts = list(schedulers)
        if not parts:
            raise ValueError("schedulers must have at least one scheduler, found none")
        for i, part in enumerate(parts):
            if not isinstance(part, LRScheduler):
                raise TypeError(f"schedulers[{i}] must be a scheduler, found {part!r}")
            if isinstance(part, ReduceLROnPlateau):
                raise ValueError(
                    f"schedulers[{i}] is a ReduceLROnPlateau, whose step needs a metric; "
                    f"call it beside the {type(self).__name__}"
                )
        wanted = parts[0].optimizer if optimizer is None else optimizer
        param_groups(wanted)
        for i, part in enumerate(parts):
            if part.optimizer is not wanted:
                raise ValueError(f"schedulers[{i}] must be on the same optimizer, found another's")
        self._schedulers = parts
        return wanted

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
        for part, new in zip(self._schedulers, loaded, strict=True):
            plan_load(part, new, loading)
        super()._plan_load(state, loading)

    def _dicts(self) -> list[State]:
        return [*super()._dicts(), *(d for s in self._schedulers for d in s._dicts())]
