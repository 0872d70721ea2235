"""Steps that go against the gradient are left out."""

import numpy as np

from ferrostep.backends.reference.rule import Array, Options


def agree(a: Array, b: Array) -> Array:
    """Where both are above 0, or both below.  A product of the two could underflow to 0."""
    return ((a > 0) & (b > 0)) | ((a < 0) & (b < 0))


def cautious(step: Array, g: Array, o: Options) -> Array:
    """The step, with ``cautious`` that of Liang et al. 2024, arXiv:2411.16085, algorithm 1.

    Momentum carries some weights on against their gradient.  These stay where they are, and the
    others go as much further as there are fewer of them.
    """
    if not o["cautious"]:
        return step
    with_it = agree(step, g)
    share = int(np.count_nonzero(with_it)) / max(g.size, 1)
    return np.where(with_it, step * (1 / max(share, 1e-3)), step * 0.0)  # NaN is not hidden
