"""Prodigy on devices, whose sums are over all parameters wherever they lie: the bits of the CPU.

The table of cases has it too, so the other tests of CuPy arrays run over it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import ferrostep as fs
from support import device
from support.device import HARDWARE, to_device, to_host
from support.on_device import assert_same_run

SIZES = [5000, 9000, 0, 3, 4097, 1]
SCALINGS: list[dict[str, Any]] = [
    {},
    {"grad_scale": 0.5},
    {"max_norm": 1.0},
    {"max_norm": 2.0, "clip": "parameter"},
]


def starts(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(n).astype(np.float32) for n in SIZES]


def make(params: Any, **more: Any) -> fs.Prodigy:
    """Two groups, each with the d that it makes of the same sums."""
    groups = [{"params": params[:2]}, {"params": params[2:], "d_coef": 2.0, "weight_decay": 0.1}]
    return fs.Prodigy(groups, d0=1e-3, **more)


def run(put: Any) -> None:
    """The same steps with some parameters on devices, as `put` has it."""
    wanted, found = make(starts(1)), make([put(i, p) for i, p in enumerate(starts(1))])
    for step, scaling in enumerate(SCALINGS):
        # Nearly the same in each step, so that there is something to learn.
        grads: list[Any] = [g + h / 8 for g, h in zip(starts(2), starts(10 + step), strict=True)]
        grads[1] = None if step == 1 else grads[1]
        wanted.step(grads, **scaling)
        found.step([None if g is None else put(i, g) for i, g in enumerate(grads)], **scaling)
    assert wanted.state[0]["d"] != 1e-3
    assert_same_run(found, wanted)


def test_all_on_a_device() -> None:
    run(lambda _, a: to_device(a))


@pytest.mark.parametrize("there", [{0}, {1, 4}, {2, 3, 5}])
def test_some_on_a_device(there: set[int]) -> None:
    run(lambda i, a: to_device(a) if i in there else a)


@pytest.mark.skipif(HARDWARE, reason="needs two devices")
def test_several_devices() -> None:
    run(lambda i, a: to_device(a, i % 2))


def test_any_layout() -> None:
    start = np.random.default_rng(3).standard_normal((65, 130)).astype(np.float32)
    wanted, found = fs.Prodigy([start.copy()]), fs.Prodigy([to_device(np.asfortranarray(start))])
    for scaling in SCALINGS:
        wanted.step([start], **scaling)
        found.step([to_device(np.repeat(start, 2, axis=1)[:, ::2])], **scaling)
    assert_same_run(found, wanted)


@pytest.mark.skipif(HARDWARE, reason="counts the stand-in's launches")
def test_a_step_waits_once() -> None:
    opt = fs.Prodigy([to_device(p) for p in starts(1)])
    device.waited.clear()
    with device.recorded() as launches:
        opt.step([to_device(g) for g in starts(2)])
    names = [name for *_, name in launches]
    assert names == ["ferrostep_terms", "ferrostep_norm_leaves", "ferrostep_update"]
    assert len(device.waited) == 1


def test_gradients_that_are_not_finite_teach_nothing() -> None:
    for value in (np.nan, np.inf, 0.0):
        grads = starts(2)
        grads[4][7] = value
        wanted = make(starts(1))
        found = make([to_device(p) for p in starts(1)])
        for _ in range(2):
            wanted.step(grads)
            found.step([to_device(g) for g in grads])
        assert_same_run(found, wanted)


def test_a_run_goes_on_where_the_arrays_are_not() -> None:
    wanted, found = make(starts(1)), make([to_device(p) for p in starts(1)])
    wanted.step(starts(2))
    found.step([to_device(g) for g in starts(2)])
    there = make([to_host(p) for p in found._parameters()])
    there.load_state_dict(found.state_dict())
    wanted.step(starts(3))
    there.step(starts(3))
    found.step([to_device(g) for g in starts(3)])
    assert_same_run(there, wanted)
    assert_same_run(found, wanted)


def test_refused_steps_change_nothing() -> None:
    found = make([to_device(p) for p in starts(1)], nonfinite="raise")
    wanted = make(starts(1))
    grads = [to_device(g) for g in starts(2)]
    grads[3] = to_device(np.full(3, np.nan, np.float32))
    with pytest.raises(fs.NonFiniteError):
        found.step(grads, max_norm=1.0)
    wanted.step(starts(3))
    found.step([to_device(g) for g in starts(3)])
    assert_same_run(found, wanted)
