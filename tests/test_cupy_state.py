"""State on a device: runs that move, names, snapshots and checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from cases import CASE, Case
from support.arrays import gradients
from support.device import to_device, to_host
from support.on_device import assert_same_run

STEPPED = [
    "SGD(lr=0.1,momentum=0.9,dampening=0.3,weight_decay=0.01)",
    "Adam(weight_decay=0.1,betas=(0.8,0.95),eps=1e-06)",
    "Adam(state_dtype=bfloat16,weight_decay=0.1)",
]


class TestState:
    def test_a_run_moves_between_host_and_device(self) -> None:
        rng = np.random.default_rng(8)
        start = rng.standard_normal((5, 7)).astype(np.float32)
        grads = [gradients(rng, start.shape, np.float32) for _ in range(4)]
        wanted = fs.AdamW([start.copy()])
        host, there = fs.AdamW([start.copy()]), None
        for g in grads[:2]:
            host.step([g])
        for g in grads:
            wanted.step([g])
        there = fs.AdamW([to_device(host._parameters()[0])])
        there.load_state_dict(host.state_dict())
        there.step([to_device(grads[2])])
        back = fs.AdamW([to_host(there._parameters()[0])])
        back.load_state_dict(there.state_dict())
        back.step([grads[3]])
        assert isinstance(there.state[0]["exp_avg"], cupy.ndarray)
        assert isinstance(back.state[0]["exp_avg"], np.ndarray)
        assert_same_run(back, wanted)

    def test_low_precision_state(self) -> None:
        opt = fs.Adam([to_device(np.ones(5, np.float32))], state_dtype="bfloat16")
        opt.step([to_device(np.ones(5, np.float32))])
        assert opt.state[0]["exp_avg"].dtype == ml_dtypes.bfloat16

    def test_names_and_unbound(self) -> None:
        weights = {"w": to_device(np.ones(3)), "b": to_device(np.ones(2))}
        opt = fs.SGD(lr=0.5)
        for _ in range(2):
            opt.update(weights, {"b": to_device(np.ones(2)), "w": to_device(np.ones(3))})
        assert (to_host(weights["w"]) == 0).all()
        assert (to_host(weights["b"]) == 0).all()

    def test_unbound_knows_a_device_s_memory(self) -> None:
        whole, other = to_device(np.zeros(6)), to_device(np.zeros(3))
        opt, g = fs.Momentum(lr=1.0), to_device(np.ones(3))
        for _ in range(2):
            opt.update(whole[:3], g)  # a view made anew
        with pytest.raises(ValueError, match="another part of its buffer"):
            opt.update(whole[3:], g)
        with pytest.raises(ValueError, match="lies in other memory"):
            opt.update(other, g)
        opt.rebind(other)
        opt.update(other, g)
        assert opt.state[0]["step"] == 3
        assert (to_host(whole[3:]) == 0).all()

    def test_rebind_and_snapshots(self) -> None:
        params = {"w": to_device(np.zeros(3))}
        opt, g = fs.Momentum(params, lr=1.0, momentum=0.5), {"w": to_device(np.ones(3))}
        opt.step(g)
        best = opt.state_dict()
        opt.step(g)
        assert (to_host(best["state"][0]["velocity"]) == -1).all()
        params["w"] = to_device(np.zeros(3))
        with pytest.raises(ValueError, match="was replaced in your dict"):
            opt.step(g)
        opt.rebind(params)
        opt.step(g)
        assert (to_host(params["w"]) == -1.75).all()
        with pytest.raises(ValueError, match="in host memory, wanted on CUDA device"):
            opt.rebind({"w": np.zeros(3)})

    def test_one_array(self) -> None:
        p = to_device(np.ones(3))
        fs.SGD(p, lr=0.5).step(to_device(np.ones(3)))
        assert (to_host(p) == 0.5).all()


class TestCheckpoints:
    @pytest.mark.parametrize("case", [CASE[name] for name in STEPPED], ids=lambda case: case.name)
    def test_the_resumed_run_is_the_run(self, case: Case, tmp_path: Path) -> None:
        rng = np.random.default_rng(9)
        start = [rng.standard_normal(n).astype(np.float32) for n in (5000, 3)]
        steps = [[gradients(rng, p.shape, np.float32) for p in start] for _ in range(4)]
        wanted = case.make([p.copy() for p in start])
        first = case.make([to_device(p) for p in start])
        for grads in steps[:2]:
            first.step([to_device(g) for g in grads])
        first.save(tmp_path / "run.safetensors")
        for grads in steps:
            wanted.step(grads)
        there = case.make([to_device(np.zeros_like(p)) for p in start])
        host = case.make([np.zeros_like(p) for p in start])
        for opt, to in ((there, to_device), (host, np.array)):
            opt.load(tmp_path / "run.safetensors")
            for grads in steps[2:]:
                opt.step([to(g) for g in grads])
            assert_same_run(opt, wanted)
        assert isinstance(there._parameters()[0], cupy.ndarray)

    def test_no_memory_on_the_device(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ferrostep.backends.cuda import arrays

        fs.SGD([np.ones(4), np.ones(5)], momentum=0.5).save(tmp_path / "run.safetensors")
        params = [to_device(np.zeros(4)), to_device(np.zeros(5))]
        opt = fs.SGD(params, momentum=0.5, lr=0.125)
        real = arrays.empty_like

        def full(array: Any, dtype: str) -> Any:
            if array.size == 5:
                raise MemoryError
            return real(array, dtype)

        monkeypatch.setattr(arrays, "empty_like", full)
        with pytest.raises(MemoryError):
            opt.load(tmp_path / "run.safetensors")
        assert all((to_host(p) == 0).all() for p in params)
        assert opt.param_groups[0]["lr"] == 0.125


def test_a_mapped_file_is_for_host_memory() -> None:
    opt = fs.Adam([to_device(np.ones(3))], state_factory=fs.MemmapState("."))
    with pytest.raises(TypeError, match="MemmapState must be a NumPy array, found a CuPy"):
        opt.step([to_device(np.ones(3))])


@pytest.mark.parametrize("scope", ["total", "parameter"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0])
def test_what_has_no_gradient_is_not_moved(value: float, scope: Any) -> None:
    start = [np.full((2, 2), value), np.ones((2, 2))]
    found = fs.Adam([to_device(p) for p in start])
    wanted = fs.Adam(start)
    device = found.step([None, to_device(np.ones((2, 2)))], measure=scope)
    host = wanted.step([None, np.ones((2, 2))], measure=scope)
    np.testing.assert_array_equal(device.update_norm, host.update_norm)
    np.testing.assert_array_equal(device.param_norm, host.param_norm)
