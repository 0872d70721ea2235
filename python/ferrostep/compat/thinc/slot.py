"""One array of a thinc optimizer: a parameter or its average, stepped by an optimizer of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferrostep.optimizer import Optimizer


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
        #: The live arrays of state by name.
        self.state = dict(self._core._state(0) or {})
        self.state.pop("step", None)
        for word, made in self.state.items():
            old = before.get(word)
            if old is None:
                continue
            if np.shape(old) != made.shape:
                raise ValueError(
                    f"the state of parameter {name} has shape {np.shape(old)}, wanted {made.shape}"
                )
            made[...] = old

    def shown_in(self, kept: Mapping[str, Mapping[Any, Any]], key: Any) -> bool:
        """Whether users see this very state."""
        return all(kept[word].get(key) is array for word, array in self.state.items())

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
