"""Settings: chosen for an optimizer as a whole, and not group by group; the core keeps them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

NonFinite = Literal["propagate", "raise", "skip"]
Backend = Literal["native", "reference"]
#: ``factory(key, name, like, dtype)`` returns the array for one parameter's state.
StateFactory = Callable[[int | str, str, Any, np.dtype[Any]], Any]


class Settings(NamedTuple):
    """Options that no group has; `reference` follows from the backend."""

    nonfinite: NonFinite
    backend: Backend | None
    reference: ModuleType | None
    state_factory: StateFactory | None


class NonFiniteError(FloatingPointError, ValueError):
    """A gradient is infinite or NaN, and the optimizer was made with ``nonfinite="raise"``."""
