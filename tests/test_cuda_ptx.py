"""The PTX that NVRTC makes of the kernels, interpreted: the bits of the Rust core."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from cases import CASE, DTYPES, FACTORED, LOW_PRECISION, RUN_IDS, RUNS, Case
from support import nvrtc, ptx
from support.arrays import gradients, special_values
from support.emulation.norm import clipping, first_nonfinite
from support.emulation.optimizer import Emulated, assert_same_run, shifted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NVRTC is on PyPI for Linux")


@functools.cache
def newest(source: str) -> ptx.Module:
    return ptx.Module(source, nvrtc.architectures()[-1])


def check(case: Case, p: type, g: type) -> None:
    rng = np.random.default_rng(21)
    special = special_values(p)
    start = [np.concatenate([special, rng.standard_normal(9).astype(p)]), np.ones(3, p)]
    wanted = case.make([a.copy() for a in start])
    found = Emulated(case, [shifted(a, i) for i, a in enumerate(start)], compile=newest)
    with np.errstate(over="ignore"):
        edges = special_values(np.float64).astype(g)
    for step in range(3):
        tail = gradients(rng, (start[0].size - edges.size,), np.float64).astype(g)
        grads = [np.concatenate([np.roll(edges, 5 * step), tail]), np.ones(3, g)]
        wanted.step(grads)
        found.step([shifted(a, i) for i, a in enumerate(grads)])
    assert_same_run(found, wanted, "")


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_every_case(case: Case, dtype: type) -> None:
    check(case, dtype, dtype)


@pytest.mark.parametrize("g", [*LOW_PRECISION, *DTYPES])
@pytest.mark.parametrize("p", [*LOW_PRECISION, *DTYPES])
def test_every_kind_of_gradient(p: type, g: type) -> None:
    check(CASE["Adam()"], p, g)


@pytest.mark.parametrize("dtype", [*LOW_PRECISION, *DTYPES])
def test_matrices_with_factors(dtype: type) -> None:
    rng = np.random.default_rng(23)
    shapes = [(3, 5), (1, 2), (2, 1), (2, 2, 3)]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    wanted = FACTORED[1].make([a.copy() for a in start])
    found = Emulated(FACTORED[1], [shifted(a, i) for i, a in enumerate(start)], compile=newest)
    for _ in range(2):
        grads = [gradients(rng, shape, dtype) for shape in shapes]
        wanted.step(grads, grad_scale=0.5)
        found.step([shifted(a, i) for i, a in enumerate(grads)], grad_scale=0.5)
    assert_same_run(found, wanted, "")


@pytest.mark.parametrize("dtype", [*LOW_PRECISION, *DTYPES])
def test_norm_clipping_and_search(dtype: type) -> None:
    rng = np.random.default_rng(22)
    grads = [gradients(rng, (n,), dtype) for n in [5, 0, 4099, 33]]
    start = [np.ones(a.shape, np.float32) for a in grads]
    wanted = CASE["SGD(lr=0.1)"].make([a.copy() for a in start])
    found = Emulated(CASE["SGD(lr=0.1)"], [a.copy() for a in start], compile=newest)
    scaling = {"grad_scale": -0.5, "max_norm": 0.25}
    for clip in ("global", "parameter"):
        norm = wanted.step(grads, **scaling, clip=clip).grad_norm
        assert found.step(grads, **scaling, clip=clip) == norm
        assert_same_run(found, wanted, clip)
    assert first_nonfinite(grads, start, newest) is None
    grads[3][7] = np.nan
    grads[2][4098] = np.inf
    assert first_nonfinite(grads, start, newest) == 2
    assert np.isnan(clipping(grads, start, compile=newest)["norm"][0])


@pytest.mark.parametrize(
    "instruction",
    [
        "fma.rn.f32 %f1, %f2, %f3, %f4",
        "add.rn.ftz.f32 %f1, %f2, %f3",
        "add.f32 %f1, %f2, %f3",
        "mul.rz.f64 %fd1, %fd2, %fd3",
        "div.approx.f32 %f1, %f2, %f3",
        "setp.lt.ftz.f32 %p1, %f1, %f2",
        "cvt.rz.f32.f64 %f1, %fd1",
    ],
)
def test_other_roundings_are_not_understood(instruction: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        ptx.translate(instruction)
