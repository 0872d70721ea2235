"""The floor of memory and the floor of Python; see ``benchmarks/floor``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import ferrostep_floor as native
import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Setting
from ferrostep import _native

#: What rules read that measure before they step: parameter, gradient and state.
MEASURED = {
    "LAMB": ("p", "g", "exp_avg", "exp_avg_sq"),
    "LARS": ("p", "g"),
    "NovoGrad": ("g",),
    "StableAdamW": ("g", "exp_avg_sq"),
    "Prodigy": ("p", "g", "s", "p0"),
    "Adafactor": ("p", "g", "variance"),
}
#: The same of matrices, whose factors are next to nothing: a pass for these is before that.
OF_MATRICES = {"Adafactor": ("g", "p", "g")}


def _arrays(state: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return what of a state lies in memory and is as large as its parameter."""
    return {k: v for k, v in state.items() if np.ndim(v) and np.size(v) == size}


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
        read = ["g"] if setting.problem.max_norm is not None else []
        measured = OF_MATRICES if params[0].ndim > 1 else MEASURED
        read += measured.get(setting.problem.optimizer, ())
        tensors, first = [], []
        for i, (p, g) in enumerate(zip(params, setting.grads, strict=True)):
            arrays = _arrays(optimizer.state[i], p.size)
            tensors.append((p, g, list(arrays.values())))
            first += [{"p": p, "g": g, **arrays}[name] for name in read]
        floor = native.Floor(tensors, _native.simd_tier(), first)
        return Contender(floor.step, setting.grads, None)

    @staticmethod
    def _rows(setting: Setting) -> Callable[[object], object]:
        """The rows of each step as arrays of their own."""
        state = setting.optimizer.state[0]
        (table,) = setting.optimizer.param_groups[0]["params"]
        states = list(_arrays(state, table.size).values())
        floors = []
        for indices, values in setting.rows:
            rows, first = np.unique(indices, return_index=True)
            tensors = [
                (table[row], values[i], [s[row] for s in states])
                for row, i in zip(rows, first, strict=True)
            ]
            floors.append(native.Floor(tensors, _native.simd_tier(), []))
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
