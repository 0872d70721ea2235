"""LambdaLR."""

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


class LambdaLR(LRScheduler):
    """Multiplies the initial rate by a function of the epoch: ``lr = base_lr * lr_lambda(epoch)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    lr_lambda : callable, or list of callables
        Maps the epoch (an int) to a finite number; a list has one for each group.  `state_dict`
        holds the ``__dict__`` of a callable object, but nothing of a plain function.

    Raises
    ------
    TypeError
        Something in ``lr_lambda`` cannot be called.
    ValueError
        The list has the wrong length, or a call gave no finite number.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LambdaLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = LambdaLR(opt, lambda epoch: 0.5**epoch)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

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

    def get_lr(self) -> list[float]:
        check_count("lr_lambda", "functions", len(self.lr_lambdas), len(self.base_lrs))
        name = f"lr_lambda({self.last_epoch})"
        factors = [real(name, function(self.last_epoch), FINITE) for function in self.lr_lambdas]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]

    def _objects(self) -> list[State | None]:
        """The live ``__dict__`` of each callable object, None for what has no state of its own."""
        found = [getattr(function, "__dict__", None) for function in self.lr_lambdas]
        plain = [isinstance(function, FunctionType) for function in self.lr_lambdas]
        return [
            state if isinstance(state, dict) and not bare else None
            for state, bare in zip(found, plain, strict=True)
        ]

    def state_dict(self) -> State:
        saved = [None if state is None else state.copy() for state in self._objects()]
        return self._own_state() | {"lr_lambdas": saved}

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        state = mapping(state_dict)
        objects, saved = self._objects(), state.pop("lr_lambdas", None)
        if (
            not isinstance(saved, list)
            or len(saved) != len(objects)
            or not all(map(_fits, saved, objects))
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


def _fits(saved: Any, live: State | None) -> bool:
    if live is None:
        return saved is None
    return isinstance(saved, dict) and all(type(name) is str for name in saved)
