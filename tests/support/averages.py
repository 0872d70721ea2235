"""An average with some updates, for the tests."""

from __future__ import annotations

import numpy as np

from ferrostep.averages import EMA
from support.arrays import Array


def made() -> tuple[dict[str, Array], EMA]:
    params = {"w": np.ones((2, 3), np.float32), "b": np.ones(2)}
    ema = EMA(params, 0.5, warmup=True)
    ema.update()
    params["w"] += 1
    ema.update()
    return params, ema
