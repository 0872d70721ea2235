"""numba: one compiled loop over pieces of all tensors, in parallel where that pays."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Array, Setting
from ferrostep._native import power

#: Values of a piece: enough of them to share out evenly, few enough not to be felt.
PIECE = 16_384
#: Below this a step is over before a second thread has woken.
PARALLEL = 32_768


def adam(
    params: Any, grads: Any, ms: Any, vs: Any, which: Any, starts: Any, stops: Any, k: Any
) -> None:
    """The order of operations is that of ferrostep's formula, without fast-math: the same bits."""
    beta1, c1, beta2, c2, step, scale, eps = k
    for c in numba.prange(len(which)):
        j = which[c]
        p, g, m, v = params[j], grads[j], ms[j], vs[j]
        for i in range(starts[c], stops[c]):
            m[i] = beta1 * m[i] + c1 * g[i]
            v[i] = beta2 * v[i] + c2 * (g[i] * g[i])
            p[i] = p[i] - (step * m[i]) / (np.sqrt(v[i]) * scale + eps)


serial = numba.njit(adam)
parallel = numba.njit(adam, parallel=True)


def cut(params: list[Array]) -> tuple[Array, Array, Array]:
    """Return each piece's tensor, beginning and end."""
    pieces = [
        (i, start, min(start + PIECE, p.size))
        for i, p in enumerate(params)
        for start in range(0, p.size, PIECE)
    ]
    which, starts, stops = (np.array(column, np.int64) for column in zip(*pieces, strict=True))
    return which, starts, stops


class Parallel:
    tolerance = 0.0
    arrays = 3

    def version(self) -> str:
        return str(numba.__version__)

    def set_threads(self, n: int) -> None:
        numba.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer != "Adam" or problem.options or problem.max_norm is not None:
            raise NotOfferedError("only Adam is written here")
        params = setting.params()
        m, v = ([np.zeros_like(p) for p in params] for _ in range(2))
        arrays = tuple(numba.typed.List(a) for a in (params, setting.grads, m, v))
        pieces = cut(params)
        loop = parallel if problem.values >= PARALLEL else serial
        kind = params[0].dtype.type
        t = 0

        def step(_: object) -> None:
            nonlocal t
            t += 1
            rate, scale = 1e-3 / (1 - power(0.9, t)), 1 / (1 - power(0.999, t)) ** 0.5
            scalars = (0.9, 1 - 0.9, 0.999, 1 - 0.999, rate, scale, 1e-8)
            loop(*arrays, *pieces, tuple(map(kind, scalars)))

        return Contender(step, None, lambda: params)
