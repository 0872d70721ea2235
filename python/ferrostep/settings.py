"""Settings: chosen for an optimizer as a whole, and not group by group; the core keeps them."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from ferrostep.typing import Backend, Missing, NonFinite, StateFactory


class Settings(NamedTuple):
    """Options that no group has; `reference` follows from the backend."""

    nonfinite: NonFinite
    backend: Backend | None
    reference: ModuleType | None
    state_factory: StateFactory | None
    missing: Missing


class NonFiniteError(FloatingPointError, ValueError):
    """A gradient is infinite or NaN, and the optimizer was made with ``nonfinite="raise"``."""
