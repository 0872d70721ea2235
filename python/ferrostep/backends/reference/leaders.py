"""Rules that make the parameter anew from sums of all gradients: they follow the leader."""

from collections.abc import Set

import numpy as np

from ferrostep.backends.reference.clamp import clamp
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def ftrl(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """FTRL-Proximal (McMahan et al. 2013, KDD, algorithm 1), with TensorFlow's options.

    ``p`` is what minimises the sum of all linearised losses, plus ``l1*abs(p)`` and squares.  ``z``
    is that sum's slope; while it is within ``l1`` the least is at exactly 0.  ``n`` is Adagrad's
    sum of squares.  TensorFlow's ``l2`` counts twice, and its shrinkage is no part of the squares.
    """
    l1, k = o["l1"], 1 / o["lr"]
    n, z = state["accumulator"], state["linear"]
    new = n + g * g
    h = g + (2 * o["l2_shrinkage"]) * p
    z = (z + h) - ((np.sqrt(new) - np.sqrt(n)) * k) * p
    p = (clamp(z, -l1, l1) - z) / (np.sqrt(new) * k + 2 * (o["l2"] + o["beta"] / (2 * o["lr"])))
    return p, {"accumulator": new, "linear": z}


RULES: dict[str, Rule] = {"FTRL": ftrl}
