"""Steps in the memory of Keras' variables: the NumPy and torch backends share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferrostep.compat.keras.layout import Layout, Rule, load, set_rate


class InPlace:
    """Ours over all variables of a Keras optimizer, as of the last look.

    It holds arrays and variables, and nothing that knows the Keras optimizer.
    """

    def __init__(self, memory: Any, layout: Layout, rule: Rule) -> None:
        self._memory = memory
        self._variables = layout.variables
        self._slots = layout.slots
        self._all = [*layout.variables, *(slot for each in layout.slots for slot in each.values())]
        self._numbers = {id(variable): i for i, variable in enumerate(layout.variables)}
        arrays = [memory.array(variable) for variable in layout.variables]
        self._opt = layout.optimizer(rule, arrays)
        #: Where the arrays are, and the steps that our state has had; None: it has to be loaded.
        self._places: list[Any] = []
        self._steps: int | None = None

    def step(
        self, variables: Sequence[Any], gradients: Sequence[Any], rate: float, steps: int
    ) -> None:
        """Update variables after so many steps of the Keras optimizer, all or none."""
        given: list[Any] = [None] * len(self._variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            given[self._numbers[id(variable)]] = self._memory.gradient(gradient, variable)
        self._follow()
        if self._steps != steps:
            states = [
                {name: self._memory.array(slot) for name, slot in slots.items()}
                for slots in self._slots
            ]
            load(self._opt, states, steps)
        set_rate(self._opt, rate)
        # Without a gradient a variable's count would stay; Keras counts steps of all.
        self._steps = None
        self._opt.step(given)
        if len(variables) == len(given):
            self._steps = steps + 1
        self._memory.written(variables)

    def _follow(self) -> None:
        """Go on in the memory that the variables have now."""
        places = [self._memory.place(variable) for variable in self._all]
        if places != self._places:
            arrays = [self._memory.array(variable) for variable in self._all]
            self._opt.rebind(arrays[: len(self._variables)])
            self._places = [self._memory.place(variable) for variable in self._all]
            self._steps = None
