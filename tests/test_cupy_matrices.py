"""Rules that update whole matrices, on devices: the bits of the CPU."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import MATRIX_CASES, MATRIX_RUNS, Case
from support import device
from support.arrays import gradients, special_values
from support.device import HARDWARE, to_device, to_host
from support.on_device import LAYOUTS, assert_same_run

PLAIN = MATRIX_CASES[0]
RUNS = [
    pytest.param(case, dtype, id=f"{case.name}-{np.dtype(dtype).name}")
    for case, dtype in MATRIX_RUNS
    if case.optimizer.MATRICES
]
SHAPES = [(0, 3), (3, 0), (1, 1), (1, 7), (9, 2), (13, 33), (40, 47), (200, 11), (11, 450)]
#: More than what a block of threads makes of a product, in one axis and in both.
BIG = [(130, 70), (70, 130), (131, 131), (5, 270)]


def runs(case: Case, dtype: type, shapes: list[Any], scaling: dict[str, Any]) -> None:
    """Three steps on host and device, compared; one matrix has no gradient in the second."""
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    wanted = case.make([p.copy() for p in start])
    found = case.make([to_device(p) for p in start])
    for step in range(3):
        grads: list[Any] = [gradients(rng, shape, dtype) for shape in shapes]
        grads[1] = None if step == 1 else grads[1]
        host = wanted.step(grads, **scaling)
        info = found.step([None if g is None else to_device(g) for g in grads], **scaling)
        assert (info.applied, info.grad_norm) == (host.applied, host.grad_norm)
    assert all(isinstance(p, cupy.ndarray) for p in found._parameters())
    assert_same_run(found, wanted)


@pytest.mark.parametrize(("case", "dtype"), RUNS)
def test_every_case(case: Case, dtype: type) -> None:
    runs(case, dtype, [*SHAPES, (9, 2), (13, 33)], {})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_more_than_a_tile(dtype: type) -> None:
    runs(PLAIN, dtype, BIG, {})


@pytest.mark.parametrize("clip", ["global", "parameter"])
def test_scaled_and_clipped(clip: str) -> None:
    runs(PLAIN, np.float32, SHAPES, {"grad_scale": -0.5, "max_norm": 0.1, "clip": clip})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout: str) -> None:
    rng, lay = np.random.default_rng(2), LAYOUTS[layout]
    start = [rng.standard_normal(shape).astype(np.float32) for shape in [(7, 41), (33, 5)]]
    grads = [rng.standard_normal(p.shape).astype(np.float32) for p in start]
    for p_lay, g_lay in ((lay, lay), (lay, np.array), (np.array, lay)):
        wanted = PLAIN.make([p.copy() for p in start])
        found = PLAIN.make([to_device(p_lay(p)) for p in start])
        for _ in range(2):
            wanted.step(grads)
            found.step([to_device(g_lay(g)) for g in grads])
        assert_same_run(found, wanted)


def test_special_values() -> None:
    special = special_values(np.float32)
    grads = [np.resize(special, (len(special), 3)), np.resize(special, (2, len(special)))]
    grads += [np.zeros((3, 3), np.float32), np.full((3, 3), 1e-30, np.float32)]
    start = [np.ones_like(g) for g in grads]
    wanted, found = PLAIN.make([p.copy() for p in start]), PLAIN.make([to_device(p) for p in start])
    for _ in range(2):
        wanted.step(grads)
        found.step([to_device(g) for g in grads])
    assert_same_run(found, wanted)


def test_host_and_device_in_one_optimizer() -> None:
    start = [np.random.default_rng(i).standard_normal((9, 5)) for i in range(4)]
    wanted = PLAIN.make([p.copy() for p in start])
    found = PLAIN.make([to_device(p) if i % 2 else p.copy() for i, p in enumerate(start)])
    for scaling in ({}, {"max_norm": 1.0}):
        wanted.step(start, **scaling)
        found.step([to_device(g) if i % 2 else g for i, g in enumerate(start)], **scaling)
    assert_same_run(found, wanted)


@pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
def test_matrices_of_one_shape_share_their_launches() -> None:
    rng = np.random.default_rng(3)
    start = [rng.standard_normal((4, 6)).astype(np.float32) for _ in range(3)]
    opt = fs.Muon([to_device(p) for p in start])
    device.waited.clear()
    with device.recorded() as launches:
        opt.step([to_device(g) for g in start])
    names = [name.removeprefix("ferrostep_") for *_, name in launches]
    norm = ["norm_partials", "norm_leaves", "norm_finish_each"]
    products = ["matrix_product"] * 15
    wanted = ["update", *norm, "matrix_begin", *products, "matrix_end", "update"]
    assert names == wanted
    assert not device.waited


def test_a_run_goes_on_on_the_host() -> None:
    start = np.random.default_rng(4).standard_normal((9, 5)).astype(np.float32)
    wanted, found = fs.Muon([start.copy()]), fs.Muon([to_device(start)])
    wanted.step([start])
    found.step([to_device(start)])
    on_host = fs.Muon([to_host(p) for p in found._parameters()])
    on_host.load_state_dict(found.state_dict())
    wanted.step([start])
    on_host.step([start])
    assert_same_run(on_host, wanted)


def test_updated_makes_new_arrays() -> None:
    start = np.random.default_rng(5).standard_normal((9, 5)).astype(np.float32)
    wanted = fs.Muon([start.copy()])
    wanted.step([start])
    (new,) = fs.Muon(None).updated([to_device(start)], [to_device(start)])
    np.testing.assert_array_equal(to_host(new), wanted._parameters()[0])


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="parameter 0 must have two dimensions for Muon"):
        fs.Muon([to_device(np.ones(3))])
