"""Gradients of some rows: a rule is then given these rows alone, each of them once."""

import numpy as np
from numpy.typing import DTypeLike

from ferrostep.backends.reference.rule import Array, Rows


def added(g: Rows, dtype: DTypeLike) -> Rows:
    """The rows that occur, ascending, and the values of each added up in the order given.

    What they are added to is -0.0: that changes no value, where +0.0 would change -0.0.
    """
    indices, values = g
    rows, place = np.unique(indices, return_inverse=True)
    total = np.full((rows.size, *values.shape[1:]), -0.0, dtype)
    np.add.at(total, place, np.asarray(values, total.dtype))
    return rows, total


def put(array: Array, rows: Array, values: Array) -> Array:
    """The array with other values in these rows."""
    array = array.copy()
    array[rows] = values
    return array
