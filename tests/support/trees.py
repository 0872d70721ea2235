"""A tree of parameters, for the tests of trees."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Layer(NamedTuple):
    W: Any
    b: Any


def made(value: float = 0.0) -> dict[str, Any]:
    return {
        "layers": [
            {"W": np.full(2, value), "b": None},
            Layer(np.full(3, value), np.full(1, value)),
        ],
        "v.0": (np.full((), value),),
    }
