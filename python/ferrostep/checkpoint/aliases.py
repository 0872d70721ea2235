"""Arrays that share memory: what is loaded into one would overwrite the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferrostep._native import first_shared
from ferrostep.params import adopted


def check_aliases(labels: Sequence[str], arrays: Sequence[Any]) -> None:
    """Refuse arrays of which two have a byte in common, or one may have a byte twice."""
    for label, array in zip(labels, arrays, strict=True):
        if _may_overlap_itself(array):
            raise ValueError(f"{label} has elements that share memory; give a copy")
    found = first_shared([_place(array) for array in arrays])
    if found is not None:
        first, second = (labels[i] for i in found)
        raise ValueError(f"{first} and {second} share memory; give one of them")


def _place(array: Any) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Where it lies: addresses of the host and of devices never coincide."""
    on_device = adopted(array)
    start = array.__array_interface__["data"][0] if on_device is None else on_device.data.ptr
    return start, array.dtype.itemsize, array.shape, array.strides


def _may_overlap_itself(array: Any) -> bool:
    """As far as the strides tell at once."""
    need = array.dtype.itemsize
    for stride, n in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if n > 1:
            if stride < need:
                return bool(array.size > 0)
            need = stride * n
    return False
