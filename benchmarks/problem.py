"""What is updated: the arrays of a problem, the same values for everyone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs
from benchmarks.layouts import LAYOUTS, dtype_called

Array = NDArray[Any]

#: Values are drawn once and repeated: at 100,000,000 drawing would take longer than measuring.
DRAWN = 2**20


@dataclass(frozen=True)
class Problem:
    """An optimizer with its options on `tensors` arrays of `size` values each."""

    optimizer: str
    tensors: int
    size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    layout: str = "contiguous"
    max_norm: float | None = None

    @property
    def values(self) -> int:
        return self.tensors * self.size

    def capped(self, most: int) -> Self:
        """Return the same with `most` values at most, in as many tensors."""
        return replace(self, size=max(1, min(self.size, most // self.tensors)))

    def __hash__(self) -> int:
        return hash(repr(self))


def _values(problem: Problem, drawn: Array) -> list[Array]:
    flat = np.resize(drawn.astype(dtype_called(problem.dtype)), problem.values)
    return np.split(flat, problem.tensors)


class Setting:
    """A problem's arrays: gradients that all share and only read, parameters anew for each."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        rng = np.random.default_rng(0)
        n = min(DRAWN, problem.values)
        layout = LAYOUTS[problem.layout]
        self._start = _values(problem, rng.standard_normal(n))
        # Away from zero, near which libraries differ by where they put eps.
        signs = rng.choice([-1.0, 1.0], n)
        self.grads = [
            layout.gradient(g) for g in _values(problem, signs * rng.uniform(0.5, 1.5, n))
        ]

    def params(self) -> list[Array]:
        layout = LAYOUTS[self.problem.layout]
        return [layout.parameter(p) for p in self._start]

    @cached_property
    def optimizer(self) -> fs.Optimizer:
        """ferrostep's own: the floor touches the very arrays of this one."""
        cls: type[fs.Optimizer] = getattr(fs, self.problem.optimizer)
        return cls(self.params(), **self.problem.options)
