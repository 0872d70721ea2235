"""`replace` and `remove_param_group` of parameters on devices."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import RUN_IDS, RUNS, Case
from support.arrays import gradients
from support.device import to_device, to_host
from support.on_device import assert_same_run


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
@pytest.mark.parametrize("index", [None, [0, 2, -1, 4, 4, 1, -1], [3], [-1], []], ids=str)
def test_the_same_bits_as_on_the_host(case: Case, dtype: Any, index: list[int] | None) -> None:
    rng = np.random.default_rng(3)
    start = [rng.standard_normal((5, 7)).astype(dtype), np.ones(3, dtype)]
    host, there = case.make([p.copy() for p in start]), case.make([to_device(p) for p in start])
    count = 6 if index is None else len(index)
    new = np.asfortranarray(rng.standard_normal((count, 7)).astype(dtype))
    for t in range(4):
        if t == 2:
            host.replace(0, new.copy(), index)
            there.replace(
                0, to_device(new), None if index is None else to_device(np.array(index, int))
            )
        grads = [gradients(rng, p.shape, dtype) for p in host._parameters()]
        host.step(grads)
        there.step([to_device(g) for g in grads])
    assert isinstance(there._parameters()[0], cupy.ndarray)
    assert_same_run(there, host)


def test_containers_and_groups() -> None:
    params = {"w": to_device(np.ones((2, 3))), "b": to_device(np.ones(2))}
    opt = fs.Adam([{"params": params}, {"params": {"c": np.ones(3)}}])
    grads = {name: to_device(np.ones(p.shape)) for name, p in params.items()}
    opt.step({**grads, "c": np.ones(3)})
    new = to_device(np.zeros((3, 3)))
    opt.replace("w", new, [1, -1, 0])
    assert params["w"] is new
    grads["w"] = to_device(np.ones((3, 3)))
    opt.step({**grads, "c": np.ones(3)})
    opt.remove_param_group(-1)
    opt.step(grads)
    assert [entry["step"] for entry in opt.state.values()] == [3, 3]
    averages = to_host(opt.state["w"]["exp_avg"])
    assert (averages[1] < averages[0]).all()
    assert (averages[2] == to_host(opt.state["b"]["exp_avg"])[0]).all()


def test_another_place_is_refused() -> None:
    opt = fs.Adam({"w": to_device(np.ones((2, 3))), "h": np.ones((2, 3))})
    for name, new in (("w", np.ones((3, 3))), ("h", to_device(np.ones((3, 3))))):
        with pytest.raises(
            ValueError, match=rf"'{name}' has .* (in host|on CUDA).*, wanted .* as b"
        ):
            opt.replace(name, new)
