"""The floor of memory and the floor of Python; see ``benchmarks/floor``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import ferrostep_floor as native
import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Setting
from ferrostep import _native


class Floor:
    """The traffic of ferrostep's step on ferrostep's own arrays, values unchanged."""

    tolerance = 0.0
    arrays = 0

    def version(self) -> str:
        return "as ferrostep"

    def set_threads(self, n: int) -> None:
        native.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        optimizer = setting.optimizer
        params = optimizer.param_groups[0]["params"]
        if not optimizer.state:
            raise NotOfferedError("ferrostep itself, whose arrays it touches, cannot run")
        if setting.rows:
            return Contender(self._rows(setting), None, None)
        tensors = []
        for i, (p, g) in enumerate(zip(params, setting.grads, strict=True)):
            state = optimizer.state[i]
            tensors.append((p, g, [state[name] for name in state if name != "step"]))
        norm = setting.problem.max_norm is not None
        floor = native.Floor(tensors, _native.simd_tier(), norm)
        return Contender(floor.step, setting.grads, None)

    @staticmethod
    def _rows(setting: Setting) -> Callable[[object], object]:
        """The rows of each step as arrays of their own."""
        state = setting.optimizer.state[0]
        (table,) = setting.optimizer.param_groups[0]["params"]
        states = [state[name] for name in state if name != "step"]
        floors = []
        for indices, values in setting.rows:
            rows, first = np.unique(indices, return_index=True)
            tensors = [
                (table[row], values[i], [s[row] for s in states])
                for row, i in zip(rows, first, strict=True)
            ]
            floors.append(native.Floor(tensors, _native.simd_tier(), False))
        steps = cycle(floors)
        return lambda grads: next(steps).step(grads)


class EmptyCall:
    """A native method of the same arguments that does nothing."""

    tolerance = 0.0
    arrays = 0

    def version(self) -> str:
        return "as ferrostep"

    def set_threads(self, n: int) -> None:
        pass

    def make(self, setting: Setting) -> Contender:
        return Contender(native.EmptyCall().step, setting.grads, None)
