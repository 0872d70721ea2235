"""Whether a scheduler is stepped before its optimizer."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

_PACKAGE = __name__.partition(".")[0] + "."


def warn_of_early_step(optimizer: Any) -> None:
    """Warn where no parameter has been stepped yet, so that the rate of epoch 0 is never used.

    A step that was skipped is one.  What says nothing of its steps is taken to be in order.
    """
    state, skipped = (getattr(optimizer, name, None) for name in ("state", "skipped_steps"))
    if skipped != 0 or not isinstance(state, Mapping):
        return
    if any(not isinstance(one, Mapping) or one.get("step", 1) for one in state.values()):
        return
    warnings.warn(
        f"a scheduler's step came before {type(optimizer).__name__} has stepped any parameter, so "
        "that the first learning rate is never used; step the optimizer first, then the scheduler",
        stacklevel=_outside(),
    )


def _outside() -> int:
    """The level, seen from our caller, of the line that called into this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
