"""A functional loop, ``params = step(params, grad(params))``, with a history of its parameters.

By hand each entry of the history is a dict of its own. So it is with `updated`; with an update in
place all entries would be one and the same, the last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Params = dict[str, Array]
Gradient = Callable[[Params, int], Params]


def problem(size: int) -> tuple[Params, Gradient]:
    """Return a start, and the gradient of a slope and an offset for each of `size` lines."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(size), rng.standard_normal(size)

    def gradient(params: Params, t: int) -> Params:
        wrong = params["slope"] * x + params["offset"] - y
        return {"slope": wrong * x, "offset": wrong}

    return {"slope": np.zeros(size), "offset": np.zeros(size)}, gradient


def by_hand(params: Params, gradient: Gradient, steps: int) -> list[Params]:
    history = [params]
    mean_squares = {name: np.zeros_like(p) for name, p in params.items()}
    for t in range(steps):
        grads, new = gradient(params, t), {}
        for name, p in params.items():
            g = grads[name]
            mean_squares[name] = 0.9 * mean_squares[name] + (1 - 0.9) * g**2
            new[name] = p - 0.01 * g / (np.sqrt(mean_squares[name]) + 1e-8)
        params = new
        history.append(params)
    return history


def with_ferrostep(params: Params, gradient: Gradient, steps: int) -> list[Params]:
    history = [params]
    opt = fs.RMSprop(lr=0.01, alpha=0.9)
    for t in range(steps):
        params = opt.updated(params, gradient(params, t))
        history.append(params)
    return history
