"""NumPy as people write it: the lines that ferrostep's README replaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Array, Problem, Setting

Step = Callable[[list[Array]], None]


def adam(params: list[Array]) -> Step:
    m = [np.zeros_like(p) for p in params]
    v = [np.zeros_like(p) for p in params]
    t = 0

    def step(grads: list[Array]) -> None:
        nonlocal t
        t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            m_hat = m[i] / (1 - 0.9**t)
            v_hat = v[i] / (1 - 0.999**t)
            p -= 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)

    return step


def rmsprop(params: list[Array]) -> Step:
    r = [np.zeros_like(p) for p in params]

    def step(grads: list[Array]) -> None:
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            r[i] = 0.99 * r[i] + 0.01 * g * g
            p -= 1e-2 * g / (np.sqrt(r[i]) + 1e-8)

    return step


def momentum(params: list[Array]) -> Step:
    v = [np.zeros_like(p) for p in params]

    def step(grads: list[Array]) -> None:
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            v[i] = 0.9 * v[i] - 1e-2 * g
            p += v[i]

    return step


RULES = {"Adam": adam, "RMSprop": rmsprop, "Momentum": momentum}


def check_offered(problem: Problem) -> None:
    if problem.optimizer not in RULES or problem.options or problem.max_norm is not None:
        raise NotOfferedError("not written by hand here")


class Plain:
    tolerance = 1e-5
    arrays = 6

    def version(self) -> str:
        return np.__version__

    def set_threads(self, n: int) -> None:
        """NumPy's arithmetic runs on one thread."""

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        check_offered(problem)
        params = setting.params()
        return Contender(RULES[problem.optimizer](params), setting.grads, lambda: params)
