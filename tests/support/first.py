"""What a rule begins with, for whoever runs it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferrostep import _native
from support.arrays import Array


def first_state(rule: str, options: Mapping[str, Any], p: Array) -> dict[str, Any]:
    """Its arrays beside this parameter, and the numbers that it remembers."""
    arrays = _native.rule_states(rule, dict(options), p.shape)
    native = p.dtype.newbyteorder("=")
    return {name: np.full(shape, x, native) for name, x, shape in arrays} | dict(
        _native.rule_memory(rule, dict(options))
    )
