"""Keras' variables as the parameters of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ferrostep.optimizer import Optimizer


class Rule(NamedTuple):
    """A class of ours and its options."""

    ours: type[Optimizer]
    options: Mapping[str, Any]


class Layout(NamedTuple):
    """Variables in the order of our groups, with the slots of each."""

    variables: Sequence[Any]
    #: By the name of our state: variables of arrays, and those of numbers that the rule remembers.
    slots: Sequence[Mapping[str, Any]]
    numbers: Sequence[Mapping[str, Any]]
    #: The first so many are in the group whose weights decay.
    decaying: int

    def optimizer(self, rule: Rule, arrays: list[Any]) -> Optimizer:
        """Return ours for these arrays of the variables."""
        groups: list[dict[str, Any]] = [
            {"params": arrays[: self.decaying]},
            {"params": arrays[self.decaying :], "weight_decay": 0.0},
        ]
        return rule.ours([group for group in groups if group["params"]], **rule.options)


def load(
    opt: Optimizer,
    states: Sequence[Mapping[str, Any]],
    numbers: Sequence[Mapping[str, float]],
    steps: int,
) -> None:
    """Let `opt` go on after so many steps in the memory of these states, with these numbers.

    Before the first step there are none yet: they begin as the options of then say.
    """
    both = zip(states, numbers, strict=True)
    opt._load([steps] * len(states), [{**s, **(n if steps else {})} for s, n in both], 0)


def remembered(opt: Optimizer) -> list[dict[str, float]]:
    """Return the numbers that the rule remembers of each parameter by now."""
    names = opt._schema().memory
    return [{name: state[name] for name in names} for state in opt._states(False) if state]


def set_rate(opt: Optimizer, rate: float) -> None:
    for group in opt.param_groups:
        group["lr"] = rate
