"""Parameters clipped by their own norms on devices, waiting or not: the bits of the CPU."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

from cases import CASE, RUN_IDS, RUNS, Case
from support.arrays import gradients
from support.device import to_device
from support.on_device import assert_same_run

ADAM = CASE["Adam(weight_decay=0.1,betas=(0.8,0.95),eps=1e-06)"]
SHAPES = [(70_001,), (0,), (5, 13), (4096,), (150_000,)]
CLIP: Any = {"grad_scale": -0.5, "max_norm": 0.7, "clip": "parameter"}


def run(case: Case, start: Any, steps: Any, places: Any, **options: Any) -> None:
    """The same steps with all arrays on the host, and with some on a device."""
    wanted = case.make([p.copy() for p in start], **options)
    found = case.make([put(p.copy()) for put, p in zip(places, start, strict=True)], **options)
    for grads in steps:
        host = wanted.step(grads, **CLIP)
        info = found.step(
            [None if g is None else put(g) for put, g in zip(places, grads, strict=True)], **CLIP
        )
        assert (info.applied, info.grad_norm) == (host.applied, host.grad_norm)
    assert_same_run(found, wanted)


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_every_case_without_a_wait(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(2)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    steps: Any = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(2)]
    steps[1][2] = None
    run(case, start, steps, [to_device] * len(SHAPES))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"nonfinite": "skip"}], ids=str)
@pytest.mark.parametrize("on_host", [(), (0,), (2, 3)], ids=str)
def test_several_places_and_kinds(on_host: Any, options: Any, dtype: type) -> None:
    rng = np.random.default_rng(3)
    dtypes = [np.float32, np.float64, dtype, dtype, np.float32]
    start = [rng.standard_normal(s).astype(d) for s, d in zip(SHAPES, dtypes, strict=True)]
    steps = [[gradients(rng, p.shape, p.dtype) for p in start] for _ in range(3)]
    places = [np.asarray if i in on_host else to_device for i in range(len(start))]
    run(ADAM, start, steps, places, **options)


def test_a_nan_stays_with_its_parameter() -> None:
    start = [np.ones(5, np.float32), np.ones(5000, np.float32)]
    grads = [np.full(5, np.nan, np.float32), np.ones(5000, np.float32)]
    wanted = CASE["SGD(lr=0.1)"].make([p.copy() for p in start])
    params = [to_device(p) for p in start]
    found = CASE["SGD(lr=0.1)"].make(params)
    wanted.step(grads, max_norm=1.0, clip="parameter")
    assert np.isnan(
        found.step([to_device(g) for g in grads], max_norm=1.0, clip="parameter").grad_norm
    )
    assert_same_run(found, wanted)
