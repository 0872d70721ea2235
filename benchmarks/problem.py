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
#: Steps with rows of their own.
BATCHES = 16


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
    #: Of matrices: their columns; of a table of which a step has a gradient for some rows: how many
    #: indices.
    columns: int | None = None
    indices: int = 0
    #: Whether each step has its gradients in tensors of its own, as after a `backward`.
    anew: bool = False

    @property
    def values(self) -> int:
        return self.tensors * self.size

    def capped(self, most: int) -> Self:
        """Return the same with `most` values at most, in as many tensors."""
        size = max(1, min(self.size, most // self.tensors))
        if self.columns is not None:
            size = max(1, size // self.columns) * self.columns
        return replace(self, size=size)

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
        drawn = signs * rng.uniform(0.5, 1.5, n)
        #: Indices of rows and their values, of as many steps as it takes to be out of the cache.
        self.rows: list[tuple[NDArray[np.int64], Array]] = []
        if not problem.indices:
            self.grads = [self._shaped(layout.gradient(g)) for g in _values(problem, drawn)]
            return
        self.grads = []
        for _ in range(BATCHES):
            assert problem.columns is not None
            indices = rng.integers(0, problem.size // problem.columns, problem.indices)
            values = np.resize(rng.permutation(drawn), (problem.indices, problem.columns))
            self.rows.append((indices, values.astype(dtype_called(problem.dtype))))

    def params(self) -> list[Array]:
        layout = LAYOUTS[self.problem.layout]
        return [self._shaped(layout.parameter(p)) for p in self._start]

    def _shaped(self, array: Array) -> Array:
        columns = self.problem.columns
        return array if columns is None else array.reshape(-1, columns)

    @cached_property
    def optimizer(self) -> fs.Optimizer:
        """ferrostep's own: the floor touches the very arrays of this one."""
        cls: type[fs.Optimizer] = getattr(fs, self.problem.optimizer)
        return cls(self.params(), **self.problem.options)
