"""What wrapped optimizers do beside the steps; another array stands in the gradient's place."""

from collections.abc import Set

import numpy as np

from ferrostep.backends.reference.rule import Array, Options, Rule, States


def slow(
    s: Array, p: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Lookahead's slow weight ``s``, which follows ``p`` (Zhang et al. 2019, arXiv:1907.08610)."""
    return s + o["alpha"] * (p - s), {}


def towards(
    p: Array, z: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """A parameter on its way to ``z``, or away from it; where that is NaN it stays."""
    return p + o["alpha"] * (np.where(np.isnan(z), p, z) - p), {}


def total(
    a: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """The sum ``a`` of gradients so far.  It begins at 0, so that it is never -0."""
    return (0.0 if t == 1 else a) + g, {}


RULES: dict[str, Rule] = {
    "Slow": slow,
    "Towards": towards,
    "Sum": total,
}
