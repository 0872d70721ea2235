"""Arrays on devices: recognised, made, copied."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ferrostep.backends.cuda.library import cupy


def adopt(array: Any) -> Any:
    """Return the CuPy array of what has memory on a device, without a copy; None of the rest.

    Raises
    ------
    TypeError
        If there is such memory, and CuPy cannot take it.
    """
    if "cupy" in sys.modules and isinstance(array, cupy().ndarray):
        return array
    name = type(array).__name__
    try:
        interface = getattr(array, "__cuda_array_interface__", None)
        if interface is None:
            return None
        taken = cupy().asarray(array)
        if interface["typestr"] == "<V2" and "bfloat16" in str(array.dtype):
            return taken.view(_dtype("bfloat16"))  # as torch writes it
    except ImportError:
        raise
    except Exception as error:  # another library's, of any type
        raise TypeError(f"CuPy cannot take a {name} as it is: {error}") from error
    return taken


def unowned(array: Any) -> Any:
    """Return an array of the same memory that does not keep it alive."""
    cuda = cupy().cuda
    memory = cuda.UnownedMemory(array.data.ptr, array.nbytes, None, array.data.device_id)
    pointer = cuda.MemoryPointer(memory, 0)
    return cupy().ndarray(array.shape, array.dtype, pointer, strides=array.strides)


def is_readonly(array: Any) -> bool:
    """Whether another library forbids to write its memory on a device."""
    interface = None
    if not ("cupy" in sys.modules and isinstance(array, cupy().ndarray)):
        interface = getattr(array, "__cuda_array_interface__", None)
    return interface is not None and bool(interface["data"][1])


def empty_like(array: Any, dtype: str) -> Any:
    """Return an array of this one's shape and order on its device, with whatever is there."""
    with cupy().cuda.Device(array.data.device_id):
        return cupy().empty_like(array, dtype=_dtype(dtype))


def fill(array: Any, value: float) -> None:
    """Write `value` everywhere, rounded as NumPy rounds it."""
    with cupy().cuda.Device(array.data.device_id):
        cupy().copyto(array, np.full((), value, array.dtype)[()])


def _dtype(name: str) -> Any:
    if name == "bfloat16":
        import ml_dtypes  # whose type CuPy's bfloat16 is

        return ml_dtypes.bfloat16
    return name


def copy(array: Any) -> Any:
    """Return a new array with the same values, in the same order and place."""
    with cupy().cuda.Device(array.data.device_id):
        made = cupy().empty_like(array)
        cupy().copyto(made, array)
        return made


def contiguous(array: Any, dtype: str | None = None) -> Any:
    """Return an array in C order, of this type if one is given, on the same device."""
    with cupy().cuda.Device(array.data.device_id):
        return cupy().ascontiguousarray(array, dtype)


def copy_back(array: Any, copy: Any) -> None:
    """Write what a kernel made of a contiguous copy."""
    with cupy().cuda.Device(array.data.device_id):
        cupy().copyto(array, copy)


def difference(new: Any, old: Any, dtype: str) -> tuple[Any, Any]:
    """Return what was added to an array, and what it was, both in C order in this type."""
    with cupy().cuda.Device(new.data.device_id):
        old = cupy().ascontiguousarray(old, dtype)
        return cupy().subtract(cupy().ascontiguousarray(new, dtype), old), old


def stream(device: int) -> int:
    """Return the handle of the device's current stream."""
    with cupy().cuda.Device(device):
        return int(cupy().cuda.get_current_stream().ptr)


def upload(device: int, data: bytes) -> Any:
    """Return the bytes in the memory of a device."""
    with cupy().cuda.Device(device):
        return cupy().asarray(np.frombuffer(data, np.int64))


def from_host(device: int, data: bytes, dtype: str, shape: tuple[int, ...]) -> Any:
    """Return an array on a device with these elements in C order."""
    with cupy().cuda.Device(device):
        return cupy().asarray(np.frombuffer(data, dtype).reshape(shape))


def address(array: Any) -> int:
    """Return where an array begins."""
    return int(array.data.ptr)


def copy_rows(source: Any, array: Any, rows: list[int]) -> None:
    """Write row ``rows[i]`` of another array into row i; a negative number leaves the row alone."""
    index = np.array(rows, np.int64)
    kept = index >= 0
    if not kept.any():
        return
    bits = f"u{array.dtype.itemsize}"  # no device has an arithmetic of all types
    with cupy().cuda.Device(array.data.device_id):
        taken = cupy().take(source.view(bits), cupy().asarray(index.clip(0)), axis=0)
        where = cupy().asarray(kept.reshape(-1, *[1] * (array.ndim - 1)))
        cupy().copyto(array.view(bits), taken, where=where)


def to_host(array: Any) -> np.ndarray[Any, Any]:
    """Return an array as NumPy's: itself, or a copy of what is on a device."""
    on_device = adopt(array)
    if on_device is None:
        return np.asarray(array)
    with cupy().cuda.Device(on_device.data.device_id):
        return np.asarray(cupy().asnumpy(on_device))


def assign(array: Any, values: np.ndarray[Any, Any]) -> None:
    """Write values of the same shape and type into an array, on whatever it lies."""
    if isinstance(array, np.ndarray):
        np.ndarray.__setitem__(array, ..., values)  # whatever a subclass has for it
        return
    with cupy().cuda.Device(array.data.device_id):
        cupy().copyto(array, cupy().asarray(values))


def assigning(array: Any, values: np.ndarray[Any, Any]) -> Callable[[], object]:
    """Return what does that later, and can fail no more; on the host without Python code."""
    if isinstance(array, np.ndarray):
        return partial(np.ndarray.__setitem__, array, ..., values)
    ready = empty_like(array, array.dtype.name)
    assign(ready, values)
    return partial(copy_back, array, ready)
