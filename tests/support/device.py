"""CuPy for the tests: the real one on a machine with a GPU, else a stand-in for its device.

The stand-in's arrays are real `cupy.ndarray` objects, which wrap host memory, so that headers,
views and strides are CuPy's own; only the calls that need a driver are replaced, and kernels run
as `emulation` runs them. `test_cupy_standin.py` holds the replaced calls against CuPy's signatures.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import cupy
import numpy as np

from support import emulation

#: Whether a real device does the work.
HARDWARE = cupy.is_available()


class Interface:
    """What NumPy makes a view of."""

    def __init__(self, array: Any) -> None:
        kind = f"<V{array.dtype.itemsize}"
        self.__array_interface__ = {
            "version": 3,
            "data": (array.data.ptr, False),
            "shape": array.shape,
            "strides": array.strides,
            "typestr": kind,
        }
        self.owner = array


def view(array: Any) -> np.ndarray:
    """Return the stand-in's array as NumPy's, without a copy."""
    return np.asarray(Interface(array)).view(array.dtype) if array.size else _empty(array)


def _empty(array: Any) -> np.ndarray:
    return np.empty(array.shape, array.dtype)


def wrap(array: np.ndarray, device: int) -> Any:
    """Return NumPy's memory as CuPy's array on a device."""
    memory = cupy.cuda.UnownedMemory(array.ctypes.data, max(array.nbytes, 1), array, device)
    pointer = cupy.cuda.MemoryPointer(memory, 0)
    return cupy.ndarray(array.shape, array.dtype, pointer, strides=array.strides)


class Stream:
    """A stream of the stand-in, current within its context."""

    current: dict[int, Stream]

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr

    @classmethod
    def from_external(cls, obj: Any) -> Stream:
        """Return the stream of another library."""
        _, ptr = obj.__cuda_stream__()
        return cls(ptr)

    def synchronize(self) -> None:
        """Nothing is under way: kernels run when they are launched."""

    def __enter__(self) -> Stream:
        self._device = Device.current
        self._before = Stream.current.get(self._device)
        Stream.current[self._device] = self
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del Stream.current[self._device]
        else:
            Stream.current[self._device] = self._before


Stream.current = {}
_DEFAULT = Stream(0)
_handles = itertools.count(1000)


class Device:
    """A device of the stand-in, current within its context."""

    current = 0

    def __init__(self, device: int) -> None:
        self.id = device

    def __enter__(self) -> Device:
        self._before, Device.current = Device.current, self.id
        return self

    def __exit__(self, *_: object) -> None:
        Device.current = self._before


def get_current_stream(device_id: int = -1) -> Stream:
    return Stream.current.get(Device.current if device_id < 0 else device_id, _DEFAULT)


#: What was launched: device, stream, kernel.
launches: list[tuple[int, int, str]] = []


class RawKernel:
    def __init__(self, module: emulation.Module, name: str) -> None:
        self._module, self._name = module, name
        self._compiled_for: set[int] = set()

    def compile(self, log_stream: Any = None) -> None:
        self._compiled_for.add(Device.current)

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]
    ) -> None:
        assert Device.current in self._compiled_for, "compiled only when it was launched"
        values = [_argument(x) for x in args]
        launches.append((Device.current, get_current_stream().ptr, self._name))
        self._module.launch(self._name, grid[0], block[0], values)


def _argument(x: Any) -> Any:
    """An argument as CuPy passes it on: the pointer of an array of its own, a value of NumPy's."""
    if isinstance(x, cupy.ndarray):
        assert x.data.device_id == Device.current, "an array of another device"
        return np.uint64(x.data.ptr)
    assert isinstance(x, np.generic) or (isinstance(x, np.ndarray) and x.size == 1), type(x)
    return x


class RawModule:
    def __init__(self, *, code: str | None = None) -> None:
        self._code = code

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(emulation.compile(self._code), name)


def asarray(a: Any, dtype: Any = None, order: Any = None) -> Any:
    if isinstance(a, cupy.ndarray):
        return a
    if hasattr(a, "__cuda_array_interface__"):
        if not isinstance(a.__cuda_array_interface__["shape"], tuple):
            raise TypeError("the interface has no shape")
        return wrap(a.host, getattr(a.device, "index", a.device))  # torch's has an index
    return wrap(np.array(a, dtype, order=order), Device.current)


#: The streams that were waited for.
waited: list[int] = []


def asnumpy(a: Any, stream: Any = None, order: str = "C") -> np.ndarray:
    waited.append((stream or get_current_stream()).ptr)
    return np.array(view(a), order=order)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return wrap(np.empty(shape, dtype, order), Device.current)


def empty_like(prototype: Any, dtype: Any = None) -> Any:
    return wrap(np.empty_like(view(prototype), dtype), Device.current)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    assert a.data.device_id == Device.current
    return wrap(np.ascontiguousarray(view(a), dtype), Device.current)


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    values = view(src) if isinstance(src, cupy.ndarray) else src
    np.copyto(view(dst), values, casting, where=True if where is None else view(where))  # type: ignore[arg-type]


def take(a: Any, indices: Any, axis: int | None = None) -> Any:
    assert a.data.device_id == indices.data.device_id == Device.current
    return wrap(np.take(view(a), view(indices), axis), Device.current)


def subtract(a: Any, b: Any) -> Any:
    assert a.data.device_id == b.data.device_id == Device.current
    return wrap(np.subtract(view(a), view(b)), Device.current)


#: What is replaced, in `cupy` and in `cupy.cuda`.
FUNCTIONS = [
    asarray, asnumpy, empty, empty_like, ascontiguousarray, copyto, take,
]  # fmt: skip
REAL = {f.__name__: getattr(cupy, f.__name__) for f in FUNCTIONS}
REAL_RAW_MODULE, REAL_RAW_KERNEL = cupy.RawModule, cupy.RawKernel
REAL_SUBTRACT = cupy.subtract
REAL_DEVICE, REAL_STREAM = cupy.cuda.Device, cupy.cuda.Stream
REAL_CURRENT_STREAM = cupy.cuda.get_current_stream

if not HARDWARE:
    for function in FUNCTIONS:
        setattr(cupy, function.__name__, function)
    cupy.subtract = subtract
    cupy.RawModule = RawModule
    cupy.cuda.Device, cupy.cuda.Stream = Device, Stream
    cupy.cuda.get_current_stream = get_current_stream


def to_device(array: np.ndarray, device: int = 0) -> Any:
    """Return a copy on a device, with the layout of `array`."""
    if not HARDWARE:
        # The whole of a view's memory is copied, so that its strides can stay.
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        copied = base.copy(order="K")
        offset = array.ctypes.data - base.ctypes.data
        same = np.ndarray(array.shape, array.dtype, copied, offset, array.strides)
        return wrap(same, device)
    with cupy.cuda.Device(device):
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        flat = cupy.asarray(np.ascontiguousarray(base.ravel(order="K")))
        offset = array.ctypes.data - base.ctypes.data
        return cupy.ndarray(array.shape, array.dtype, flat.data + offset, array.strides)


def to_host(array: Any) -> np.ndarray:
    """Return a copy of a device's array, in C order."""
    return cupy.asnumpy(array) if isinstance(array, cupy.ndarray) else np.array(array)


def new_stream() -> Any:
    """Return a stream that waits for no other."""
    return cupy.cuda.Stream(non_blocking=True) if HARDWARE else Stream(next(_handles))


def synchronize() -> None:
    """Wait for all that was launched."""
    if HARDWARE:
        cupy.cuda.runtime.deviceSynchronize()


@contextlib.contextmanager
def recorded() -> Iterator[list[tuple[int, int, str]]]:
    """What the stand-in launches within the context."""
    launches.clear()
    yield launches
