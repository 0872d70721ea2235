"""A small run: two parameters, and gradients for as many steps as are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.arrays import gradients


def steps(n: int) -> list[list[Any]]:
    rng = np.random.default_rng(5)
    return [
        [gradients(rng, (4, 3), np.float32), gradients(rng, (5,), np.float32)] for _ in range(n)
    ]


def params() -> list[Any]:
    return [np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), np.ones(5, np.float32)]
