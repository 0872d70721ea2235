"""Muon as people write it in NumPy: its products are those of the BLAS that NumPy has."""

from __future__ import annotations

import numpy as np

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.peers.numpy_by_hand import Plain
from benchmarks.problem import Array, Setting

COEFFICIENTS = np.array([3.4445, -4.775, 2.0315])


def muon(p: Array, g: Array, buf: Array) -> None:
    """One step of a matrix that has as many rows as columns."""
    a, b, c = COEFFICIENTS.astype(p.dtype)
    buf *= 0.95
    buf += 0.05 * g
    u = 0.05 * g + 0.95 * buf
    x = u / np.linalg.norm(u)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    p *= 1 - 1e-3 * 0.1
    p -= 1e-3 * x


class Matrices(Plain):
    #: The order of additions is the BLAS'.
    tolerance = 1e-3
    arrays = 6

    def make(self, setting: Setting) -> Contender:
        if setting.problem.optimizer != "Muon":
            raise NotOfferedError("not written by hand here")
        params, grads = setting.params(), setting.grads
        states = [np.zeros_like(p) for p in params]

        def step(grads: list[Array]) -> None:
            for p, g, buf in zip(params, grads, states, strict=True):
                muon(p, g, buf)

        return Contender(step, grads, lambda: params)
