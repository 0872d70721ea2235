"""Nesterov's look-ahead as it was written first: the gradient is taken where momentum will carry.

The velocity is needed before the first gradient is known: `init_state` makes it, and `state` shows
the live array.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Gradient = Callable[[Array, int], Array]


def problem(size: int) -> tuple[Array, Gradient]:
    """Return a start, and the gradient of a valley that is steep one way and flat the other."""
    slopes = np.geomspace(0.01, 1.0, size)

    def gradient(w: Array, t: int) -> Array:
        return slopes * (w - 1.0)

    return np.zeros(size), gradient


def by_hand(w: Array, gradient: Gradient, steps: int) -> Array:
    w = w.copy()
    v = np.zeros_like(w)
    for t in range(steps):
        g = gradient(w + 0.9 * v, t)
        v *= 0.9
        v -= 0.1 * (g + 1e-4 * w)
        w += v
    return w


def with_ferrostep(w: Array, gradient: Gradient, steps: int) -> Array:
    w = w.copy()
    opt = fs.Momentum([w], lr=0.1, momentum=0.9, weight_decay=1e-4)
    opt.init_state()
    v = opt.state[0]["velocity"]
    for t in range(steps):
        opt.step([gradient(w + 0.9 * v, t)])
    return w
