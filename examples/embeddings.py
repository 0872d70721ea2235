"""Embeddings of which each step uses a few: Adagrad on the rows that have a gradient.

By hand the gradients of a row that comes up twice in a batch are added up first (``table[rows] -=
step`` keeps but the last of them), and then state and table are gathered and put back. `Rows` says
which rows a gradient is of, and that is all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Gradient = Callable[[Array, int], tuple[Rows, Array]]


def problem(size: int) -> tuple[Array, Gradient]:
    """Return a table of about `size` values, and the gradient of one batch of its rows."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((max(2, size // 10), 10))
    goal = rng.standard_normal(table.shape)

    def gradient(table: Array, t: int) -> tuple[Rows, Array]:
        rows = np.random.default_rng(t).integers(0, len(table), 16)
        return rows, table[rows] - goal[rows]

    return table, gradient


def by_hand(table: Array, gradient: Gradient, steps: int) -> Array:
    table, sums = table.copy(), np.zeros_like(table)
    for t in range(steps):
        indices, values = gradient(table, t)
        rows, place = np.unique(indices, return_inverse=True)
        g = np.zeros((len(rows), table.shape[1]))
        np.add.at(g, place, values)
        sums[rows] += g**2
        table[rows] -= 0.1 * g / (np.sqrt(sums[rows]) + 1e-10)
    return table


def with_ferrostep(table: Array, gradient: Gradient, steps: int) -> Array:
    table = table.copy()
    opt = fs.Adagrad([table], lr=0.1)
    for t in range(steps):
        opt.step([fs.Rows(*gradient(table, t))])
    return table
