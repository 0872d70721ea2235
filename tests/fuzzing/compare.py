"""What worlds hold: frozen, and compared to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.arrays import bits


def frozen(holdings: list[tuple[Any, Any]]) -> list[Any]:
    """The contents as they are now, to be compared byte for byte."""
    return [
        (kept, None)
        if array is None
        else (
            kept,
            array.shape,
            array.dtype.num,
            array.dtype.byteorder,
            array.flags.writeable,
            array.tobytes(),
        )
        for kept, array in holdings
    ]


def equal(mine: list[tuple[Any, Any]], theirs: list[tuple[Any, Any]]) -> bool:
    """Whether two worlds hold the same bits, every NaN being one and the same."""
    if len(mine) != len(theirs):
        return False
    differ = []
    for (kept, a), (wanted, b) in zip(mine, theirs, strict=True):
        if kept != wanted or (a is None) != (b is None):
            return False
        if a is None:
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.tobytes() != b.tobytes():
            differ.append((a, b))
    # The same NaN in other bits: from here on the same bits, since another view may show them.
    for a, b in differ:
        if _floats(a) and b.flags.writeable and np.array_equal(bits(a), bits(b)):
            b[...] = a
    return all(
        a.tobytes() == b.tobytes() or (_floats(a) and np.array_equal(bits(a), bits(b)))
        for a, b in differ
    )


def _floats(array: Any) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"
