"""Arrays on devices: recognised, made, copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrostep.backends.cuda.library import cupy


def adopt(array: Any) -> Any:
    """Return the CuPy array of what has memory on a device, without a copy; None of the rest."""
    if type(array).__module__.partition(".")[0] == "cupy":
        return array if isinstance(array, cupy().ndarray) else None
    interface = getattr(array, "__cuda_array_interface__", None)
    if interface is None:
        return None
    if interface.get("mask") is not None:
        raise TypeError(f"a masked {type(array).__name__} cannot be updated; fill it first")
    if interface["data"][1]:
        raise ValueError(f"a read-only {type(array).__name__} on a device cannot be taken as it is")
    return cupy().asarray(array)


def full_like(array: Any, value: float, dtype: str) -> Any:
    """Return an array of this one's shape and order on its device, full of `value`."""
    with cupy().cuda.Device(array.data.device_id):
        return cupy().full_like(array, value, dtype=_dtype(dtype))


def _dtype(name: str) -> Any:
    if name == "bfloat16":
        import ml_dtypes  # whose type CuPy's bfloat16 is

        return ml_dtypes.bfloat16
    return name


def shares_memory(a: Any, b: Any) -> bool:
    """Whether two arrays have a byte in common."""
    if a.data.device_id != b.data.device_id:
        return False
    with cupy().cuda.Device(a.data.device_id):
        return bool(cupy().shares_memory(a, b))


def contiguous(array: Any) -> Any:
    """Return a copy in C order, on the same device."""
    with cupy().cuda.Device(array.data.device_id):
        return cupy().ascontiguousarray(array)


def copy_back(array: Any, copy: Any) -> None:
    """Write what a kernel made of a contiguous copy."""
    with cupy().cuda.Device(array.data.device_id):
        cupy().copyto(array, copy)


def stream(device: int) -> int:
    """Return the handle of the device's current stream."""
    with cupy().cuda.Device(device):
        return int(cupy().cuda.get_current_stream().ptr)


def upload(device: int, data: bytes) -> Any:
    """Return the bytes in the memory of a device."""
    with cupy().cuda.Device(device):
        return cupy().asarray(np.frombuffer(data, np.int64))


def to_host(array: Any) -> np.ndarray[Any, Any]:
    """Return an array as NumPy's: itself, or a copy of what is on a device."""
    on_device = adopt(array)
    if on_device is None:
        return np.asarray(array)
    with cupy().cuda.Device(on_device.data.device_id):
        return np.asarray(cupy().asnumpy(on_device))


def to_device(array: np.ndarray[Any, Any], like: Any) -> Any:
    """Return a copy of a NumPy array on the device of `like`, in the order of `like`."""
    with cupy().cuda.Device(like.data.device_id):
        made = cupy().empty_like(like, dtype=array.dtype)
        cupy().copyto(made, cupy().asarray(array))
        return made
