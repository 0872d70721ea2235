"""What is measured of all gradients together: their norm, and the factor that follows from it."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from ferrostep.backends.reference.rows import added
from ferrostep.backends.reference.rule import Array, Rows


def tree_sum(terms: Iterable[Array]) -> float:
    """The sum of all elements of float64 arrays, added in the one order that everybody follows.

    Each array is cut, in C order, into leaves of 4096; in a leaf, element ``i`` is added to sum
    number ``i mod 32``; the 32 are folded by halves.  The leaves of all arrays, one after the
    other, fold in pairs to one.
    """
    with np.errstate(all="ignore"):
        leaves = [np.zeros(0)]
        for x in terms:
            # The last leaf is filled up with -0.0, which changes no sum.
            padded = np.full(-(-x.size // 4096) * 4096, -0.0)
            padded[: x.size] = x.reshape(-1)
            sums = np.zeros((padded.size // 4096, 32))
            for row in padded.reshape(-1, 128, 32).swapaxes(0, 1):
                sums = sums + row
            while sums.shape[1] > 1:
                half = sums.shape[1] // 2
                sums = sums[:, :half] + sums[:, half:]
            leaves.append(sums[:, 0])
        tree = np.concatenate(leaves)
        while tree.size > 1:
            pairs = tree[: tree.size // 2 * 2]
            odd = tree[pairs.size :]  # one that has no partner passes up as it is
            tree = np.concatenate([pairs[0::2] + pairs[1::2], odd])
    return float(tree[0]) if tree.size else 0.0


def global_norm(grads: Sequence[Array | Rows | None], dtypes: Sequence[DTypeLike]) -> float:
    """The norm of all gradients together, the square root of a `tree_sum` of squares.

    ``dtypes`` are the types that the gradients are rounded to first: those that their parameters
    are computed in.  The squares are float64, in which a float32's is exact.  Of some rows it is
    their values, added up, that count, in ascending order.
    """
    with np.errstate(all="ignore"):
        given = [(g, dtype) for g, dtype in zip(grads, dtypes, strict=True) if g is not None]
        whole = [(added(g, dtype)[1] if isinstance(g, tuple) else g, dtype) for g, dtype in given]
        rounded = [np.asarray(g, np.dtype(dtype).newbyteorder("=")) for g, dtype in whole]
        wide = [x.astype(np.float64) for x in rounded]
        return math.sqrt(tree_sum(x * x for x in wide))


def clip_factor(norm: float, max_norm: float) -> float:
    """What gradients of this norm are multiplied by, so that they have `max_norm` at most.

    The 1e-6 is torch's.  NaN of a NaN norm; an infinite ``max_norm`` bounds nothing.
    """
    factor = max_norm / (norm + 1e-6)
    return 1.0 if max_norm == math.inf or factor > 1 else factor
