"""A network as a list of ``(W, b)``, as autograd's examples keep it.

By hand a comprehension takes the tree apart, and makes it anew, once for each state and once more
for the parameters. `updated` takes the tree as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Params = list[tuple[Array, Array]]
Gradient = Callable[[Params, int], Params]


def problem(size: int) -> tuple[Params, Gradient]:
    """Return three layers of about `size` weights, and the gradient of a distance from others."""
    rng = np.random.default_rng(0)
    width = max(1, round(size**0.5))
    shapes = [((width, width), (width,)) for _ in range(3)]
    goal = [(rng.standard_normal(W), rng.standard_normal(b)) for W, b in shapes]

    def gradient(params: Params, t: int) -> Params:
        return [(W - V, b - c) for (W, b), (V, c) in zip(params, goal, strict=True)]

    return [(np.zeros(W), np.zeros(b)) for W, b in shapes], gradient


def by_hand(params: Params, gradient: Gradient, steps: int) -> Params:
    m = [(np.zeros_like(W), np.zeros_like(b)) for W, b in params]
    v = [(np.zeros_like(W), np.zeros_like(b)) for W, b in params]
    for t in range(1, steps + 1):
        grads, new = gradient(params, t), []
        for i, layer in enumerate(params):
            m[i] = tuple(0.9 * a + (1 - 0.9) * g for a, g in zip(m[i], grads[i], strict=True))
            v[i] = tuple(
                0.999 * a + (1 - 0.999) * g**2 for a, g in zip(v[i], grads[i], strict=True)
            )
            hats = [(a / (1 - 0.9**t), b / (1 - 0.999**t)) for a, b in zip(m[i], v[i], strict=True)]
            steps_ = [0.01 * a / (np.sqrt(b) + 1e-8) for a, b in hats]
            new.append(tuple(p - d for p, d in zip(layer, steps_, strict=True)))
        params = new
    return params


def with_ferrostep(params: Params, gradient: Gradient, steps: int) -> Params:
    opt = fs.Adam(lr=0.01)
    for t in range(1, steps + 1):
        params = opt.updated(params, gradient(params, t))
    return params
