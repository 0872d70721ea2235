"""Optimizers whose parameters are one point while they train, and another to evaluate with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY
from itertools import accumulate, pairwise
from typing import Annotated, Any

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, finite


class Towards(Optimizer):
    """What moves parameters towards what is in their gradients' place, where that is not NaN.

    `lr` does nothing.
    """

    lr: Rate = 1.0
    _: KW_ONLY
    alpha: Annotated[float, finite] = 0.0

    RULE = "Towards"


class ScheduleFree(Optimizer):
    """What schedule-free classes share: see `ScheduleFreeSGD`."""

    MEMORY = ("weight_sum", "lr_max", "averaged")

    def eval(self) -> None:
        """Put the average ``x`` into the parameters, to evaluate or save the model with.

        One pass over memory; where the average is there already, nothing is done. State that is
        missing is made. It is remembered in state dicts and checkpoints; a step is an error until
        `train` has been called.

        Raises
        ------
        ValueError
            If the optimizer is unbound, so that its parameters are not here.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> p = np.array([1.0, -2.0])
        >>> opt = fs.ScheduleFreeSGD([p], lr=0.1)
        >>> for _ in range(3):
        ...     info = opt.step([2 * p])  # the gradient of p**2
        >>> opt.eval()
        >>> p.round(4)
        array([ 0.6459, -1.2917])
        >>> opt.train()
        """
        self._turn(averaged=True)

    def train(self) -> None:
        """Put ``y`` back into the parameters, where gradients are taken and steps made.

        It is made of ``x`` and ``z``, so that its last bits may be other ones than before `eval`.
        Whoever loads a state dict of training must give the parameters their values of then, too.
        """
        self._turn(averaged=False)

    @classmethod
    @abstractmethod
    def _share(cls, group: Mapping[str, Any]) -> float:
        """Return how much of ``y`` is ``x``."""

    def _turn(self, averaged: bool) -> None:
        if not self._bound:
            raise ValueError(
                "eval() and train() must be of an optimizer that has its parameters, found an "
                "unbound one; make it with params"
            )
        self._check_containers()
        if any(state is None for state in self._states(False)):
            self._init_state(0)
        arrays, states = self._parameters(), [state or {} for state in self._states(False)]
        groups: list[dict[str, Any]] = []
        numbers: list[int] = []
        ends = accumulate(self._group_sizes(), initial=0)
        for group, (start, end) in zip(self.param_groups, pairwise(ends), strict=True):
            share = self._share(group)
            found = [i for i in range(start, end) if bool(states[i]["averaged"]) != averaged]
            if found:
                alpha = 1 - 1 / share if averaged else 1 - share
                groups.append({"params": [arrays[i] for i in found], "alpha": alpha})
                numbers += found
        moved = Towards(groups) if groups else None
        if moved is not None:
            moved._prepare([states[i]["z"] for i in numbers])
        self._turn_all(moved, numbers, averaged)
