"""Steps in the memory of Keras' variables: the NumPy and torch backends share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferrostep.compat.keras.layout import Layout, Rule, load, remembered, set_rate


class InPlace:
    """Ours over all variables of a Keras optimizer, as of the last look.

    It holds arrays and variables, and nothing that knows the Keras optimizer.
    """

    def __init__(self, memory: Any, layout: Layout, rule: Rule) -> None:
        self._memory = memory
        self._variables = layout.variables
        self._slots = layout.slots
        self._cells = layout.numbers
        kept = [*layout.slots, *layout.numbers]
        self._all = [*layout.variables, *(slot for each in kept for slot in each.values())]
        self._remembers = bool(rule.ours._schema().memory)
        self._of_all = rule.ours.WHOLE_MODEL
        #: The numbers that our state has.
        self._known: list[dict[str, float]] = [{} for _ in layout.variables]
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
        numbers = self._read() if self._remembers else self._known
        if self._steps != steps or numbers != self._known:
            states = [
                {name: self._memory.array(slot) for name, slot in slots.items()}
                for slots in self._slots
            ]
            load(self._opt, states, numbers, steps)
        set_rate(self._opt, rate)
        # Without a gradient a variable's count would stay; Keras counts steps of all.
        self._steps = None
        self._opt.step(given)
        if len(variables) == len(given):
            self._steps = steps + 1
        if self._remembers:
            self._write(given)
        self._memory.written(variables)

    def _read(self) -> list[dict[str, float]]:
        """Return the numbers that Keras' variables have, which are of a narrower type, maybe."""
        array = self._memory.array
        return [{n: float(array(cell)) for n, cell in cells.items()} for cells in self._cells]

    def _write(self, given: Sequence[Any]) -> None:
        """Put what is remembered now where Keras keeps it: of what had a gradient, or of all."""
        self._known = remembered(self._opt)
        for gradient, cells, numbers in zip(given, self._cells, self._known, strict=True):
            for name, cell in cells.items() if gradient is not None or self._of_all else ():
                self._memory.array(cell)[...] = numbers[name]
                self._memory.written([cell])

    def _follow(self) -> None:
        """Go on in the memory that the variables have now."""
        places = [self._memory.place(variable) for variable in self._all]
        if places != self._places:
            arrays = [self._memory.array(variable) for variable in self._all]
            self._opt.rebind(arrays[: len(self._variables)])
            self._places = [self._memory.place(variable) for variable in self._all]
            self._steps = None
