"""Variables of Keras' NumPy backend as arrays: they hold arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np


def place(variable: Any) -> int:
    return id(variable._value)


def array(variable: Any) -> Any:
    """Return the array of a variable, of the type that the variable says."""
    found = variable._value
    # Keras' initializers do not always keep to it, which its own first step then mends.
    fits = isinstance(found, np.ndarray) and found.dtype.name == variable._dtype
    if not fits or not found.flags.writeable:
        variable.assign(found)
    return variable._value


def gradient(given: Any, variable: Any) -> Any:
    if isinstance(given, keras.Variable):
        given = np.array(given.value)
    found = np.asarray(given)
    return found.astype(variable._dtype) if found.dtype.kind in "biu" else found


def written(variables: Iterable[Any]) -> None:
    """Nobody has to be told."""
