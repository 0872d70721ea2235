"""Steps on some rows of a table, as people write them in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.peers.numpy_by_hand import Plain
from benchmarks.problem import Array, Setting

Step = Callable[[Array, Array], None]


def added(indices: Array, values: Array) -> tuple[Array, Array]:
    """The rows that occur, and the sum of the values of each."""
    rows, place = np.unique(indices, return_inverse=True)
    if len(rows) == len(indices):
        return indices, values
    total = np.zeros((len(rows), *values.shape[1:]), values.dtype)
    np.add.at(total, place, values)
    return rows, total


def adagrad(table: Array) -> Step:
    s = np.zeros_like(table)

    def step(indices: Array, values: Array) -> None:
        rows, g = added(indices, values)
        sums = s[rows] + g * g
        s[rows] = sums
        table[rows] -= 1e-2 * g / (np.sqrt(sums) + 1e-10)

    return step


def adam(table: Array) -> Step:
    m, v = np.zeros_like(table), np.zeros_like(table)
    t = 0

    def step(indices: Array, values: Array) -> None:
        nonlocal t
        t += 1
        rows, g = added(indices, values)
        m[rows] = a = 0.9 * m[rows] + 0.1 * g
        v[rows] = b = 0.999 * v[rows] + 0.001 * g * g
        a = a / (1 - 0.9**t)
        b = b / (1 - 0.999**t)
        table[rows] -= 1e-3 * a / (np.sqrt(b) + 1e-8)

    return step


def sparse_adam(table: Array) -> Step:
    m, v = np.zeros_like(table), np.zeros_like(table)
    t = 0

    def step(indices: Array, values: Array) -> None:
        nonlocal t
        t += 1
        rows, g = added(indices, values)
        m[rows] = a = 0.9 * m[rows] + 0.1 * g
        v[rows] = b = 0.999 * v[rows] + 0.001 * g * g
        rate = 1e-3 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        table[rows] -= rate * a / (np.sqrt(b) + 1e-8)

    return step


RULES = {"Adagrad": adagrad, "Adam": adam, "SparseAdam": sparse_adam}


class Rows(Plain):
    arrays = 4

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer not in RULES or not problem.indices:
            raise NotOfferedError("not written by hand here")
        params = setting.params()
        step = RULES[problem.optimizer](params[0])
        return Contender(lambda batches: step(*next(batches)), cycle(setting.rows), lambda: params)
