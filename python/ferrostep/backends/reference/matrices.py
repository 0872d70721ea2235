"""Rules whose update is made of a whole matrix."""

import math
from collections.abc import Set

import numpy as np

from ferrostep.backends.reference.measures import tree_sum
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def product(a: Array, b: Array) -> Array:
    """The product, in one order: of every element the terms are added from the first to the last.

    ``a @ b`` has no order: it is the library's, and its blocks' and its processor's.
    """
    total = np.zeros((len(a), b.shape[1]), a.dtype)
    for k in range(len(b)):
        total = total + np.outer(a[:, k], b[k])
    return total


def orthogonal(u: Array, eps: float) -> Array:
    """Nearly the orthogonal matrix beside ``u`` (Newton and Schulz; the coefficients are Jordan's).

    An odd polynomial of the matrix is that of its singular values, and five times this one brings
    whatever lies between 0 and 1 near to 1.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    norm = math.sqrt(tree_sum([np.square(u, dtype=np.float64)]))
    x = u / (eps if norm < eps else norm)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = product(x, x.T)
        x = a * x + product(b * gram + c * product(gram, gram), x)
    return x.T if tall else x


def muon(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Muon (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982), as torch has it.

    A step with one size in all directions of the matrix.
    """
    mu, (rows, columns) = o["momentum"], p.shape
    buf = mu * state["momentum_buffer"] + (1 - mu) * g
    u = (1 - mu) * g + mu * buf if o["nesterov"] else buf
    if p.size == 0:
        return p, {"momentum_buffer": buf}
    ratio = {
        "original": math.sqrt(max(1.0, rows / columns)),
        "match_rms_adamw": 0.2 * math.sqrt(max(rows, columns)),
        "spectral_unclamped": math.sqrt(rows / columns),
    }[o["adjust_lr"]]
    return p - (o["lr"] * ratio) * orthogonal(u, o["eps"]), {"momentum_buffer": buf}


RULES: dict[str, Rule] = {
    "Muon": muon,
}
