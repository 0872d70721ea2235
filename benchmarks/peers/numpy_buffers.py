"""The best that one can write in NumPy: scalars folded, `out=` everywhere, in blocks whose
temporaries stay in the cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers import Contender
from benchmarks.peers.numpy_by_hand import Plain, check_offered
from benchmarks.problem import Array, Setting
from ferrostep._native import power

#: Values of a block: with its two temporaries it stays in the second-level cache.
BLOCK = 16_384

#: Parameter, gradient, two states and two temporaries of one length.
Views = tuple[Array, Array, Array, Array, Array, Array]


def adam(blocks: list[Views], t: int) -> None:
    """The order of operations is that of ferrostep's formula: the same bits."""
    step, scale = 1e-3 / (1 - power(0.9, t)), 1 / (1 - power(0.999, t)) ** 0.5
    for p, g, m, v, a, b in blocks:
        np.multiply(m, 0.9, out=m)
        np.multiply(g, 1 - 0.9, out=a)
        np.add(m, a, out=m)
        np.multiply(v, 0.999, out=v)
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - 0.999, out=a)
        np.add(v, a, out=v)
        np.sqrt(v, out=a)
        np.multiply(a, scale, out=a)
        np.add(a, 1e-8, out=a)
        np.multiply(m, step, out=b)
        np.divide(b, a, out=b)
        np.subtract(p, b, out=p)


def rmsprop(blocks: list[Views], t: int) -> None:
    for p, g, r, _, a, b in blocks:
        np.multiply(r, 0.99, out=r)
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - 0.99, out=a)
        np.add(r, a, out=r)
        np.sqrt(r, out=a)
        np.add(a, 1e-8, out=a)
        np.multiply(g, 1e-2, out=b)
        np.divide(b, a, out=b)
        np.subtract(p, b, out=p)


def momentum(blocks: list[Views], t: int) -> None:
    for p, g, v, _, a, _ in blocks:
        np.multiply(v, 0.9, out=v)
        np.multiply(g, 1e-2, out=a)
        np.subtract(v, a, out=v)
        np.add(p, v, out=p)


#: By optimizer its step and how many states it has.
RULES: dict[str, tuple[Callable[[list[Views], int], None], int]] = {
    "Adam": (adam, 2),
    "RMSprop": (rmsprop, 1),
    "Momentum": (momentum, 1),
}


def cut(params: list[Array], grads: list[Array], states: int) -> list[Views]:
    a, b = (np.empty(BLOCK, params[0].dtype) for _ in range(2))
    blocks = []
    for p, g in zip(params, grads, strict=True):
        first = np.zeros_like(p)
        second = np.zeros_like(p) if states == 2 else first
        for start in range(0, p.size, BLOCK):
            part = slice(start, min(start + BLOCK, p.size))
            length = part.stop - start
            views = p[part], g[part], first[part], second[part], a[:length], b[:length]
            blocks.append(views)
    return blocks


class Buffers(Plain):
    tolerance = 0.0
    arrays = 3

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        check_offered(problem)
        update, states = RULES[problem.optimizer]
        params = setting.params()
        blocks = cut(params, setting.grads, states)
        t = 0

        def step(_: object) -> None:
            nonlocal t
            t += 1
            update(blocks, t)

        return Contender(step, setting.grads, lambda: params)
