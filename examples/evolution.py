"""An evolution strategy that keeps the best parameters so far.

By hand each step makes a new array, so ``best = theta`` keeps what it says. `updated` does the
same: an update in place would write into `best` too, which would end as the last array.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Gradient = Callable[[Array, int], tuple[Array, float]]


def problem(size: int) -> tuple[Array, Gradient]:
    """Return a start, and an estimate of the gradient of a reward, with the reward itself."""
    goal = np.linspace(-1.0, 1.0, size)

    def gradient(theta: Array, t: int) -> tuple[Array, float]:
        noise = np.random.default_rng(t).standard_normal((8, size))
        rewards = -np.square(theta + 0.1 * noise - goal).sum(axis=1)
        scores = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
        return scores @ noise / (8 * 0.1), -float(np.square(theta - goal).sum())

    return np.zeros(size), gradient


def by_hand(theta: Array, gradient: Gradient, steps: int) -> Array:
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    best, best_reward = theta, -np.inf
    for t in range(1, steps + 1):
        g, reward = gradient(theta, t)
        if reward > best_reward:
            best, best_reward = theta, reward
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g * g
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        theta = theta + 0.02 * m_hat / (np.sqrt(v_hat) + 1e-8)
    return best


def with_ferrostep(theta: Array, gradient: Gradient, steps: int) -> Array:
    opt = fs.Adam(lr=0.02, maximize=True)
    best, best_reward = theta, -np.inf
    for t in range(1, steps + 1):
        g, reward = gradient(theta, t)
        if reward > best_reward:
            best, best_reward = theta, reward
        theta = opt.updated(theta, g)
    return best
