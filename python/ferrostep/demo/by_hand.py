"""The same updates as people write them in NumPy: what `ferrostep` is compared with, to the bit.

Adam's bias corrections are folded into two scalars; with corrected arrays ``m_hat`` and ``v_hat``
the last bits differ. ``beta**t`` comes from ferrostep: the platform's ``pow`` is not the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ferrostep._native import power
from ferrostep.demo.mlp import F32

Step = Callable[[list[F32], list[F32], float], None]


def sgd() -> Step:
    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        for p, g in zip(params, grads, strict=True):
            p -= lr * g

    return step


def momentum(mu: float = 0.9, *, nesterov: bool = False) -> Step:
    velocity: list[F32] = []

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        velocity[:] = velocity or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            v = velocity[i] = mu * velocity[i] - lr * g
            p += mu * v - lr * g if nesterov else v

    return step


def adaptive_gains(beta: float = 0.05, low: float = 0.01, high: float = 100.0) -> Step:
    gains: list[F32] = []
    previous: list[F32] = []

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        gains[:] = gains or [np.ones_like(p) for p in params]
        previous[:] = previous or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            agree = np.sign(g) * np.sign(previous[i])
            slower = np.where(agree < 0, gains[i] * (1 - beta), gains[i])
            gains[i] = np.clip(np.where(agree > 0, gains[i] + beta, slower), low, high)
            previous[i] = g.copy()
            p -= lr * (gains[i] * g)

    return step


def rprop(shrink: float = 0.5, grow: float = 1.2) -> Step:
    sizes: list[F32] = []
    previous: list[F32] = []

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        sizes[:] = sizes or [np.full_like(p, lr) for p in params]
        previous[:] = previous or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            agree = np.sign(g) * np.sign(previous[i])
            factor = np.where(agree > 0, grow, np.where(agree < 0, shrink, 1)).astype(p.dtype)
            sizes[i] = np.clip(sizes[i] * factor, 1e-6, 50.0)
            previous[i] = np.where(agree < 0, np.float32(0), g)
            p -= np.sign(previous[i]) * sizes[i]

    return step


def adadelta(rho: float = 0.9, eps: float = 1e-6) -> Step:
    squares: list[F32] = []
    deltas: list[F32] = []

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        squares[:] = squares or [np.zeros_like(p) for p in params]
        deltas[:] = deltas or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            squares[i] = rho * squares[i] + (1 - rho) * (g * g)
            d = (np.sqrt(deltas[i] + eps) / np.sqrt(squares[i] + eps)) * g
            deltas[i] = rho * deltas[i] + (1 - rho) * (d * d)
            p -= lr * d

    return step


def rmsprop(alpha: float = 0.9, eps: float = 1e-8) -> Step:
    averages: list[F32] = []

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        averages[:] = averages or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            r = averages[i] = alpha * averages[i] + (1 - alpha) * (g * g)
            p -= (lr * g) / (np.sqrt(r) + eps)

    return step


def adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, *, correct: bool = True) -> Step:
    ms: list[F32] = []
    vs: list[F32] = []
    t = 0

    def step(params: list[F32], grads: list[F32], lr: float) -> None:
        nonlocal t
        t += 1
        size = lr / (1 - power(b1, t)) if correct else lr
        scale = 1 / (1 - power(b2, t)) ** 0.5 if correct else 1.0
        ms[:] = ms or [np.zeros_like(p) for p in params]
        vs[:] = vs or [np.zeros_like(p) for p in params]
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m = ms[i] = b1 * ms[i] + (1 - b1) * g
            v = vs[i] = b2 * vs[i] + (1 - b2) * (g * g)
            p -= (size * m) / (np.sqrt(v) * scale + eps)

    return step
