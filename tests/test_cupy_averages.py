"""Averages of weights on a device: the host's bits, applied wholly or not at all, and moved."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

from ferrostep.averages import EMA, Mean
from ferrostep.backends import cuda
from support.arrays import Array, assert_same_bits
from support.device import to_device, to_host

rng = np.random.default_rng(5)
HOST = {
    "w": rng.standard_normal((5, 7)).astype(np.float32),
    "f": np.asfortranarray(rng.standard_normal((4, 3))),
    "h": rng.standard_normal(9).astype(np.float16),
}


def both(cls: type[EMA] | type[Mean]) -> tuple[dict[str, Array], Any, dict[str, Any], Any]:
    """Averages of the same weights on the host and on the device, and on each some in between."""
    host = {name: p.copy("K") for name, p in HOST.items()}
    there = {name: to_device(p) for name, p in HOST.items()}
    on_host, on_device = cls(host), cls(there)
    for t in range(4):
        for name, p in host.items():
            p[...] = HOST[name] * p.dtype.type(t + 1)
            cuda.assign(there[name], p)
        on_host.update()
        on_device.update()
    return host, on_host, there, on_device


@pytest.mark.parametrize("cls", [EMA, Mean])
def test_the_bits_of_the_host(cls: type[EMA] | type[Mean]) -> None:
    host, on_host, there, on_device = both(cls)
    for key, average in on_host.averages.items():
        assert isinstance(on_device.averages[key], cupy.ndarray)
        assert_same_bits(to_host(on_device.averages[key]), average)
    with on_host.applied(), on_device.applied():
        for key, p in host.items():
            assert_same_bits(to_host(there[key]), p)
            assert not np.array_equal(p, HOST[str(key)] * 4)
    for key, p in host.items():
        assert_same_bits(to_host(there[key]), p)
    fresh = cls({name: to_device(p) for name, p in host.items()})
    fresh.load_state_dict(on_host.state_dict())
    back = cls(host)
    back.load_state_dict(fresh.state_dict())
    assert back.updates == 4
    for key, average in on_host.averages.items():
        assert_same_bits(back.averages[key], average)


@pytest.mark.parametrize("call", range(7))
def test_an_interrupt_of_a_copy(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One converts, three enter, three leave; one of these that failed is made again."""
    host, _, there, ema = both(EMA)
    copy_back, calls = cuda.copy_back, 0

    def interrupted(array: Any, values: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call + 1:
            raise KeyboardInterrupt
        copy_back(array, values)

    monkeypatch.setattr(cuda, "copy_back", interrupted)
    with pytest.raises(KeyboardInterrupt), ema.applied():
        pass
    assert not ema._shown.active
    for key, p in host.items():
        assert_same_bits(to_host(there[key]), p)
