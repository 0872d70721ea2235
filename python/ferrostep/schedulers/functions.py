"""Functions that a scheduler is given: what of them is state, and those that every group has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any, ClassVar

from ferrostep.loading import Loading
from ferrostep.schedulers.base import LRScheduler, State
from ferrostep.schedulers.checks import (
    FINITE,
    Optimizer,
    check_count,
    mapping,
    param_groups,
    real,
)


def state_of(function: Any) -> State | None:
    """The live ``__dict__`` of a callable object, None for what has no state of its own."""
    state = getattr(function, "__dict__", None)
    return state if isinstance(state, dict) and not isinstance(function, FunctionType) else None


def copied(live: State | None) -> State | None:
    return None if live is None else live.copy()


def fits(saved: Any, live: State | None) -> bool:
    """Whether `saved` can be what was copied of such a function."""
    if live is None:
        return saved is None
    return isinstance(saved, dict) and all(type(name) is str for name in saved)


class PerGroup(LRScheduler):
    """A schedule by ``lr_lambda``, one function for all groups or one for each."""

    _not_state: ClassVar[set[str]] = {"optimizer", "lr_lambdas"}

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(param_groups(optimizer))
        self.lr_lambdas: list[Callable[[int], float]] = (
            list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count  # type: ignore[list-item]
        )
        check_count("lr_lambda", "functions", len(self.lr_lambdas), count)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda must be callable, found {function!r}")
        super().__init__(optimizer, last_epoch)

    def _factors(self) -> list[float]:
        """What the functions give at ``last_epoch``."""
        check_count("lr_lambda", "functions", len(self.lr_lambdas), len(self.base_lrs))
        name = f"lr_lambda({self.last_epoch})"
        return [real(name, function(self.last_epoch), FINITE) for function in self.lr_lambdas]

    def _objects(self) -> list[State | None]:
        return list(map(state_of, self.lr_lambdas))

    def state_dict(self) -> State:
        return self._own_state() | {"lr_lambdas": list(map(copied, self._objects()))}

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        state = mapping(state_dict)
        objects, saved = self._objects(), state.pop("lr_lambdas", None)
        if (
            not isinstance(saved, list)
            or len(saved) != len(objects)
            or not all(map(fits, saved, objects))
        ):
            raise ValueError(
                "lr_lambdas in state_dict must have a dict for each callable object and None for "
                f"each function of this scheduler, found {saved!r:.200}"
            )
        super()._plan_load(state, loading)
        for live, loaded in zip(objects, saved, strict=True):
            if live is not None:
                loading.add(partial(live.update, dict(loaded)))

    def _dicts(self) -> list[State]:
        return [*super()._dicts(), *(state for state in self._objects() if state is not None)]
