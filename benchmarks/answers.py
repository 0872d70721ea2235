"""Whether two contenders have computed the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.problem import Array

#: Steps before answers are compared: they move each value by about three learning rates.
STEPS = 3
#: Values compared at a time.
BLOCK = 2**20


class DisagreementError(Exception):
    """The answers differ by more than was stated."""


def compare(found: Sequence[Array], wanted: Sequence[Array], tolerance: float) -> None:
    """Raise DisagreementError where values differ by more than `tolerance` (0: at all)."""
    ours, theirs = _flat(wanted), _flat(found)
    worst = 0.0
    for start in range(0, ours.size, BLOCK):
        part = slice(start, start + BLOCK)
        distance = np.abs(theirs[part].astype(np.float64) - ours[part].astype(np.float64))
        worst = float(np.maximum(worst, distance.max()))  # NaN stays
    if not worst <= tolerance:
        raise DisagreementError(f"answers differ by {worst:.1e}, at most {tolerance:.0e} is right")


def _flat(arrays: Sequence[Array]) -> Array:
    return arrays[0].ravel() if len(arrays) == 1 else np.concatenate([a.ravel() for a in arrays])
