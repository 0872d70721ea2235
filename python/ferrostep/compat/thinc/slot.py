"""One array of a thinc optimizer: a parameter or its average, stepped by an optimizer of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferrostep.optimizer import Optimizer
from ferrostep.saved import check_numbers, number


class Slot:
    """Our optimizer over an array's memory, flat as thinc's state is.

    Parameters
    ----------
    ours
        Its class.
    name
        What errors call the array.
    array
        What is stepped: a NumPy array of any shape, in C order.
    steps
        How many it has behind it.
    before
        The state to go on from, by name; None for what there is none of yet.
    options
        Of the class.
    """

    def __init__(
        self,
        ours: type[Optimizer],
        name: str,
        array: Any,
        steps: int,
        before: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self.ours = ours
        self.name = name
        self.array = array
        flat = array.reshape(-1)
        self._core = ours([{"params": [flat], "param_names": [name]}], **options)
        self._core.init_state(step=steps)
        self._options = self._core.param_groups[0]
        self._memory = ours._schema().memory
        #: Whether there are numbers in the state, which are others after each step.
        self.remembers = bool(self._memory)
        made = dict(self._core._state(0) or {})
        #: The live arrays of state by name, and the numbers that the rule remembers.
        self.state = {word: x for word, x in made.items() if word != "step"}
        known = {word: old for word in self.state if (old := before.get(word)) is not None}
        for word, old in known.items():
            if word in self._memory:
                self.state[word] = number(old, f"{word!r} of parameter {name}")
                continue
            array = self.state[word]
            if np.shape(old) != array.shape:
                raise ValueError(
                    f"the state of parameter {name} has shape {np.shape(old)}, wanted {array.shape}"
                )
            array[...] = old
        if not known.keys().isdisjoint(self._memory):
            numbers = {word: self.state[word] for word in self._memory}
            arrays = [x for word, x in self.state.items() if word not in numbers]
            check_numbers(numbers, arrays, f"parameter {name}")
            self._core._load([steps], [self.state], 0)

    def shown_in(self, kept: Mapping[str, Mapping[Any, Any]], key: Any) -> bool:
        """Whether users see this very state."""
        return all(kept[word].get(key) is value for word, value in self.state.items())

    def show_in(self, kept: Mapping[str, dict[Any, Any]], key: Any) -> None:
        for word, value in self.state.items():
            kept[word][key] = value

    def move(self, array: Any) -> bool:
        """Go on with the array that a parameter has become; False if it is of another kind."""
        if array is self.array:
            return True
        if array.dtype != self.array.dtype or array.size != self.array.size:
            return False
        self._core.rebind({self.name: array.reshape(-1)})
        self.array = array
        return True

    def step(self, gradient: Any, scale: float | None, options: Mapping[str, Any]) -> None:
        """Step in place, with these options from now on."""
        own = self._options
        for word, value in options.items():
            own[word] = value
        self._core.step({self.name: gradient.reshape(-1)}, grad_scale=scale)
        if self.remembers:
            now = self._core._state(0) or {}
            self.state.update((word, now[word]) for word in self._memory)
