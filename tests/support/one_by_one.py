"""An optimizer whose parameters came one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

import ferrostep as fs
from support.arrays import arrays_in, assert_same_bits, numbers_in


def begun(**options: Any) -> tuple[fs.Optimizer, dict[Any, Any]]:
    params = {"w": np.ones(3), ("k", 2): np.ones(2)}
    opt = fs.Adam(lr=0.1, **options)
    for key, p in params.items():
        opt.update_one(key, p, np.ones_like(p))
    return opt, params


def assert_same_entry(found: Any, wanted: Any) -> None:
    assert set(found) == set(wanted)
    assert numbers_in(found) == numbers_in(wanted)
    for name, array in arrays_in(wanted).items():
        assert_same_bits(found[name], array, name)
