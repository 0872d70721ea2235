"""Arrays on devices beside others in host memory: new parameters, and how far they move."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import CASE, Case
from support.arrays import assert_same_bits, gradients
from support.device import to_device, to_host

DAMPENED = "SGD(lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01)"
SHAPES = [(0,), (), (7,), (5, 13), (1025,), (4_097,)]


@pytest.mark.parametrize("case", [CASE["Adam()"], CASE[DAMPENED]], ids=["Adam", "SGD"])
def test_new_arrays_on_both(case: Case) -> None:
    rng = np.random.default_rng(8)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    found, wanted = case.make(None), case.make(None)
    host = [p.copy() for p in start]
    # Every second parameter stays in host memory.
    mixed: list[Any] = [to_device(p) if i % 2 else p for i, p in enumerate(start)]
    for t in range(3):
        steps: list[Any] = [gradients(rng, p.shape, float) for p in start]
        steps[t] = None
        there = [g if g is None or i % 2 == 0 else to_device(g) for i, g in enumerate(steps)]
        new = found.updated(mixed, there, max_norm=1.0)
        wanted.update(host, steps, max_norm=1.0)
        for old, fresh, p in zip(mixed, new, host, strict=True):
            assert type(fresh) is type(old)
            assert fresh is not old
            assert_same_bits(to_host(fresh) if isinstance(fresh, cupy.ndarray) else fresh, p)
        mixed = new
    for p, first in zip(found.updated(mixed, [None] * len(mixed)), mixed, strict=True):
        assert p is not first


def test_moves_on_both() -> None:
    rng = np.random.default_rng(9)
    start = [rng.standard_normal(shape) for shape in SHAPES]
    host = fs.Adam([p.copy() for p in start])
    mixed = fs.Adam([to_device(p) if i % 2 else p.copy() for i, p in enumerate(start)])
    for how in ("total", "parameter"):
        steps: list[Any] = [gradients(rng, p.shape, float) for p in start]
        steps[1] = None
        there = [g if g is None or i % 2 == 0 else to_device(g) for i, g in enumerate(steps)]
        assert mixed.step(there, measure=how) == host.step(steps, measure=how)
