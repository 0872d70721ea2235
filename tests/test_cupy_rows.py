"""Gradients of some rows of CuPy's arrays: the CPU's bits."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import ferrostep as fs
from cases import ROW_RUN_IDS, ROW_RUNS, Case
from support import device
from support.arrays import gradients
from support.device import to_device, to_host
from support.on_device import assert_same_run

SHAPES = [(7,), (9, 13), (3, 5, 17), (5, 0), (40, 64)]
LAYOUTS = {
    "C": lambda a: np.array(a),
    "Fortran": lambda a: np.asfortranarray(a),
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
}


def rows_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> fs.Rows:
    n = int(rng.integers(0, shape[0] + 3))
    return fs.Rows(rng.integers(0, shape[0], n), gradients(rng, (n, *shape[1:]), dtype))


def on_device(rows: fs.Rows) -> fs.Rows:
    return fs.Rows(to_device(rows.indices), to_device(rows.values))


@pytest.mark.parametrize(("case", "dtype"), ROW_RUNS, ids=ROW_RUN_IDS)
def test_every_case(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    wanted = case.make([p.copy() for p in start])
    found = case.make([to_device(p) for p in start])
    for scaling in ({}, {"max_norm": 0.5}, {"max_norm": 0.5, "clip": "parameter"}):
        grads: list[Any] = [rows_of(rng, shape, dtype) for shape in SHAPES]
        host = wanted.step(grads, **scaling)
        info = found.step([on_device(rows) for rows in grads], **scaling)
        assert info.grad_norm == host.grad_norm
    assert_same_run(found, wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(2)
    p = rng.standard_normal((33, 130)).astype(np.float32)
    wanted, found = fs.Adam([p.copy()]), fs.Adam([to_device(LAYOUTS[layout](p))])
    for _ in range(3):
        rows = rows_of(rng, p.shape, np.float32)
        values = to_device(LAYOUTS[layout](rows.values))
        wanted.step([rows], max_norm=5.0)
        found.step([fs.Rows(rows.indices, values)], max_norm=5.0)
    assert_same_run(found, wanted)


def test_updated_and_a_parameter_on_the_host() -> None:
    rng = np.random.default_rng(3)
    p, rows = rng.standard_normal((6, 4)), fs.Rows([5, 1, 5], np.ones((3, 4)))
    new = fs.Adam().updated([to_device(p), p.copy()], [on_device(rows), rows])
    wanted = p.copy()
    fs.Adam([wanted]).step([rows])
    np.testing.assert_array_equal(to_host(new[0]), wanted)
    np.testing.assert_array_equal(new[1], wanted)


def test_what_is_refused_launches_nothing() -> None:
    p = to_device(np.ones((4, 3)))
    opt = fs.SGD([p], nonfinite="raise")
    with device.recorded() as launches:
        with pytest.raises(TypeError, match="in host memory, wanted on CUDA device 0"):
            opt.step([fs.Rows([0], np.ones((1, 3)))])
        with pytest.raises(TypeError, match="on CUDA device 0, wanted in host memory"):
            fs.SGD([np.ones((4, 3))]).step([fs.Rows([0], to_device(np.ones((1, 3))))])
        with pytest.raises(ValueError, match="must be below 4"):
            opt.step([fs.Rows(to_device(np.array([4])), to_device(np.ones((1, 3))))])
        with pytest.raises(fs.NonFiniteError, match="gradient of parameter 0"):
            opt.step([fs.Rows([0, 0], to_device(np.full((2, 3), 1.5e308)))])
    assert [name for *_, name in launches if name == "ferrostep_update"] == []
    np.testing.assert_array_equal(to_host(p), 1)
