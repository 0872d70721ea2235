"""A choice that rules of several families make."""

import numpy as np

from ferrostep.backends.reference.rule import Array


def clamp(x: Array, low: float, high: float) -> Array:
    """``x`` held between ``low`` and ``high``; NaN passes."""
    return np.where(x < low, low, np.where(x > high, high, x))
