"""Lookahead and Accumulator on a device: the host's bits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from support.arrays import Array, assert_same_bits, gradients
from support.device import to_device, to_host
from support.wrappers import told

rng = np.random.default_rng(5)
HOST = {
    "w": rng.standard_normal((5, 7)).astype(np.float32),
    "f": np.asfortranarray(rng.standard_normal((4, 3))),
    "h": rng.standard_normal(9).astype(np.float16),
}
STEPS = [{n: gradients(rng, p.shape, p.dtype) for n, p in HOST.items()} for _ in range(9)]


def wrapped(params: Any) -> fs.Accumulator:
    return fs.Accumulator(fs.Lookahead(fs.Adam(params, lr=0.1), k=2, alpha=0.3), 3)


def on_device(arrays: dict[str, Array]) -> dict[str, Any]:
    return {name: to_device(array) for name, array in arrays.items()}


def pair() -> tuple[dict[str, Array], fs.Accumulator, dict[str, Any], fs.Accumulator]:
    host = {name: p.copy("K") for name, p in HOST.items()}
    there = on_device(HOST)
    return host, wrapped(host), there, wrapped(there)


def test_the_bits_of_the_host() -> None:
    host, opt, there, on = pair()
    for t, grads in enumerate(STEPS):
        given = dict.fromkeys(grads) if t == 4 else grads
        device = given if t == 4 else on_device(grads)
        assert on.step(device, max_norm=1.0).applied == opt.step(given, max_norm=1.0).applied
    for name, p in host.items():
        assert isinstance(on.slow[name], cupy.ndarray)
        assert_same_bits(to_host(there[name]), p)
        assert_same_bits(to_host(on.slow[name]), opt.slow[name])


def test_it_goes_on(tmp_path: Path) -> None:
    host, opt, there, on = pair()
    for grads in STEPS[:7]:
        opt.step(grads)
        on.step(on_device(grads))
    on.save(tmp_path / "device")
    opt.save(tmp_path / "host")
    assert (tmp_path / "device").read_bytes() == (tmp_path / "host").read_bytes()
    runs = []
    for how in ("file", "state dict"):
        params = on_device(HOST)
        fresh = wrapped(params)
        fresh.load(tmp_path / "host")
        if how == "state dict":
            fresh.load_state_dict(on.state_dict())
        runs.append((params, fresh))
    back = wrapped(host)
    back.load(tmp_path / "device")
    for grads in STEPS[7:]:
        back.step(grads)
        for _, one in [(there, on), *runs]:
            one.step(on_device(grads))
    for params, _ in [(there, on), *runs]:
        for name, p in host.items():
            assert_same_bits(to_host(params[name]), p)


def test_what_is_refused() -> None:
    gaps = to_device(np.zeros((6, 4), np.float32))[::2]
    opt = fs.Lookahead(fs.SGD([gaps], lr=1.0))
    with pytest.raises(ValueError, match="parameter 0 must be contiguous for Lookahead"):
        opt.step([to_device(np.ones((3, 4), np.float32))])
    assert (to_host(gaps) == 0).all()
    table = to_device(np.zeros((4, 2), np.float32))
    rows = fs.Rows([1], to_device(np.ones((1, 2), np.float32)))
    summed = fs.Accumulator(fs.SGD([table], lr=1.0), 2)
    before = told(summed.state_dict())
    with pytest.raises(ValueError, match="Rows on a device are not added up over calls"):
        summed.step([rows])
    assert told(summed.state_dict()) == before
    with pytest.raises(TypeError, match="in host memory, wanted on CUDA device 0"):
        summed.step([np.ones((4, 2), np.float32)])
    followed = fs.Lookahead(fs.SGD([table], lr=1.0), k=1)
    followed.step([rows])
    np.testing.assert_array_equal(to_host(table)[1], -0.5)
