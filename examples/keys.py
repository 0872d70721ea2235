"""Course code: the network asks for a step of each of its parameters, by a key.

By hand the states are dicts, begun when a key first comes. `update_one` takes any key.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Params = dict[tuple[str, int], Array]
Gradient = Callable[[Params, int], Params]


def problem(size: int) -> tuple[Params, Gradient]:
    """Return weights and biases of three layers of about `size` values, and how wrong they are."""
    width = max(1, round(size**0.5))
    shapes = {("W", i): (width, width) for i in range(3)} | {("b", i): (width,) for i in range(3)}
    goal = {key: np.cos(np.arange(np.prod(s))).reshape(s) for key, s in shapes.items()}

    def gradient(params: Params, t: int) -> Params:
        return {key: w - goal[key] for key, w in params.items()}

    return {key: np.zeros(shape) for key, shape in shapes.items()}, gradient


def by_hand(params: Params, gradient: Gradient, steps: int) -> Params:
    params = {key: w.copy() for key, w in params.items()}
    m, v, count = {}, {}, {}
    for t in range(steps):
        for key, g in gradient(params, t).items():
            if key not in m:
                m[key], v[key] = np.zeros_like(g), np.zeros_like(g)
                count[key] = 0
            count[key] += 1
            m[key] = 0.9 * m[key] + (1 - 0.9) * g
            v[key] = 0.999 * v[key] + (1 - 0.999) * g**2
            m_hat = m[key] / (1 - 0.9 ** count[key])
            v_hat = v[key] / (1 - 0.999 ** count[key])
            params[key] -= 0.01 * m_hat / (np.sqrt(v_hat) + 1e-8)
    return params


def with_ferrostep(params: Params, gradient: Gradient, steps: int) -> Params:
    params = {key: w.copy() for key, w in params.items()}
    opt = fs.Adam(lr=0.01)
    for t in range(steps):
        for key, g in gradient(params, t).items():
            opt.update_one(key, params[key], g)
    return params
