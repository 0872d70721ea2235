"""CuPy arrays that are refused, and arrays of other libraries on a device."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from support.arrays import Array
from support.device import HARDWARE, to_device, to_host


class TestBadInput:
    def opt(self, **more: Any) -> tuple[Any, fs.Optimizer]:
        p = to_device(np.ones(6, np.float32))
        return p, fs.Adam([p], **more)

    def untouched(self, p: Any) -> None:
        assert (to_host(p) == 1).all()

    def test_shape(self) -> None:
        p, opt = self.opt()
        with pytest.raises(ValueError, match=r"parameter 0 has shape \(5,\), wanted \(6,\)"):
            opt.step([to_device(np.ones(5, np.float32))])
        self.untouched(p)

    def test_dtype(self) -> None:
        p, opt = self.opt()
        with pytest.raises(TypeError, match="gradient of parameter 0 has dtype int32"):
            opt.step([to_device(np.ones(6, np.int32))])
        with pytest.raises(TypeError, match="parameter 0 has dtype int64"):
            fs.Adam([to_device(np.ones(6, np.int64))])
        with pytest.raises(TypeError, match="complex64"):
            fs.Adam([to_device(np.ones(6, np.complex64))])
        self.untouched(p)

    def test_a_gradient_elsewhere(self) -> None:
        p, opt = self.opt()
        wanted = (
            "gradient of parameter 0 is in host memory, wanted on CUDA device 0, where the para"
        )
        with pytest.raises(TypeError, match=wanted):
            opt.step([np.ones(6, np.float32)])
        host = fs.Adam([np.ones(6, np.float32)])
        with pytest.raises(
            TypeError, match="on CUDA device 0, wanted in host memory, where the parameter is"
        ):
            host.step([to_device(np.ones(6, np.float32))])
        self.untouched(p)

    @pytest.mark.skipif(HARDWARE, reason="needs two devices")
    def test_another_device(self) -> None:
        p, opt = self.opt()
        with pytest.raises(ValueError, match="is on CUDA device 1, wanted on CUDA device 0, where"):
            opt.step([to_device(np.ones(6, np.float32), 1)])
        self.untouched(p)

    def test_overlap(self) -> None:
        p, opt = self.opt()
        with pytest.raises(ValueError, match="gradient of parameter 0 overlaps parameter 0"):
            opt.step([p])
        with pytest.raises(ValueError, match="are the same array"):
            fs.Adam([p, p])
        whole = to_device(np.ones(12, np.float32))
        with pytest.raises(ValueError, match="overlap in memory"):
            fs.Adam([whole[:7], whole[6:]])
        fs.Adam([whole[::2], whole[1::2]]).step([to_device(np.ones(6, np.float32))] * 2)
        self.untouched(p)

    def test_overlap_between_elements_of_other_sizes(self) -> None:
        p = to_device(np.ones(8, np.float32))
        opt = fs.SGD([p])
        inside = cupy.ndarray((8,), np.float16, p.data + 2, (4,))
        with pytest.raises(ValueError, match="overlaps parameter 0"):
            opt.step([inside])
        assert (to_host(p) == 1).all()

    def test_unaligned_and_byte_swapped(self) -> None:
        raw = to_device(np.zeros(40, np.uint8))
        unaligned = cupy.ndarray((6,), np.float32, raw.data + 1)
        with pytest.raises(ValueError, match="parameter 0 is unaligned, wanted aligned"):
            fs.SGD([unaligned])
        p, opt = self.opt()
        with pytest.raises(ValueError, match="gradient of parameter 0 is unaligned, wanted"):
            opt.step([unaligned])
        swapped = cupy.ndarray((6,), ">f4", raw.data)
        with pytest.raises(ValueError, match="is in another byte order, wanted"):
            opt.step([swapped])
        self.untouched(p)

    def test_state_is_no_gradient(self) -> None:
        _, opt = self.opt()
        opt.step([to_device(np.ones(6, np.float32))])
        with pytest.raises(ValueError, match="overlaps parameter 0"):
            opt.step([opt.state[0]["exp_avg"]])

    def test_broadcast(self) -> None:
        one = to_device(np.ones(1, np.float32))
        wide = cupy.ndarray((6,), np.float32, one.data, (0,))
        with pytest.raises(ValueError, match="overlaps itself"):
            fs.Adam([wide])

    def test_reshaped_behind_our_back(self) -> None:
        p, opt = self.opt()
        p.shape = (2, 3)
        with pytest.raises(ValueError, match=r"has shape \(2, 3\) .* as before"):
            opt.step([to_device(np.ones((2, 3), np.float32))])
        p.shape = (6,)
        opt.step([to_device(np.ones(6, np.float32))])

    def test_reference_is_for_numpy(self) -> None:
        with pytest.raises(
            ValueError, match='is on CUDA device 0, wanted in host memory for backend="reference"'
        ):
            self.opt(backend="reference")

    def test_clip_functions_say_what_to_do(self) -> None:
        with pytest.raises(TypeError, match=r"give max_norm to step\(\)"):
            fs.clip.global_norm([to_device(np.ones(3))])
        with pytest.raises(TypeError, match=r"give max_norm to step\(\)"):
            fs.clip.clip_by_global_norm([to_device(np.ones(3))], 1.0)

    def test_a_failed_step_leaves_no_state(self) -> None:
        params = [to_device(np.ones(6, np.float32)) for _ in range(2)]
        opt = fs.Adam(params)
        with pytest.raises(ValueError, match="shape"):
            opt.step([to_device(np.ones(6, np.float32)), to_device(np.ones(7, np.float32))])
        assert not opt.state
        for p in params:
            self.untouched(p)


class Foreign:
    """An array of another library on a device."""

    def __init__(self, host: Array, *, readonly: bool = False) -> None:
        self.host, self.device = host, 0
        self.array = to_device(host) if HARDWARE else None
        data = self.array.data.ptr if HARDWARE else host.ctypes.data
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": host.shape,
            "typestr": host.dtype.str,
            "data": (data, readonly),
        }

    def value(self) -> Array:
        return to_host(self.array) if HARDWARE else self.host


class TestOtherLibraries:
    def test_the_interface_is_enough(self) -> None:
        # The interface stands on the class in libraries that have it.
        kind = type("Tensor", (Foreign,), {"__cuda_array_interface__": None})
        p, g = kind(np.ones(4, np.float32)), kind(np.full(4, 2, np.float32))
        opt = fs.SGD([p], lr=0.25)
        opt.step([g])
        opt.step([g])
        assert (p.value() == 0).all()

    def test_read_only(self) -> None:
        kind = type("Tensor", (Foreign,), {"__cuda_array_interface__": None})
        with pytest.raises(ValueError, match="parameter 0 is read-only"):
            fs.SGD([kind(np.ones(4), readonly=True)])
        p = kind(np.ones(4))
        fs.SGD([p], lr=0.5).step([kind(np.ones(4), readonly=True)])
        assert (p.value() == 0.5).all()

    @pytest.mark.parametrize("interface", ["x", {}, {"typestr": "<f4"}])
    def test_what_cupy_cannot_take(self, interface: Any) -> None:
        kind = type("Odd", (), {"__cuda_array_interface__": interface})
        with pytest.raises(TypeError, match="CuPy cannot take a Odd as it is"):
            fs.SGD([kind()])

    def test_a_tensor_that_refuses(self) -> None:
        def refuse(self: object) -> None:
            raise RuntimeError("requires grad")

        kind = type("Tensor", (), {"__cuda_array_interface__": property(refuse)})
        with pytest.raises(TypeError, match="CuPy cannot take a Tensor as it is: requires grad"):
            fs.SGD([kind()])
