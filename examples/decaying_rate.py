"""A rate that is smaller at each step: the rate is an attribute, set when it changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Gradient = Callable[[Array, int], Array]


def problem(size: int) -> tuple[Array, Gradient]:
    """Return a start, and the noisy gradient of a distance."""
    goal = np.linspace(-1.0, 1.0, size)

    def gradient(w: Array, t: int) -> Array:
        return w - goal + 0.1 * np.cos(t + goal)

    return np.zeros(size), gradient


def by_hand(w: Array, gradient: Gradient, steps: int) -> Array:
    w, m, v = w.copy(), np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        lr = 0.1 / (1 + 0.01 * t)
        g = gradient(w, t)
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g**2
        w -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


def with_ferrostep(w: Array, gradient: Gradient, steps: int) -> Array:
    w = w.copy()
    opt = fs.Adam([w])
    for t in range(1, steps + 1):
        opt.lr = 0.1 / (1 + 0.01 * t)
        opt.step([gradient(w, t)])
    return w
