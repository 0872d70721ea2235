"""The update kernels, compiled and launched."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ferrostep._native import CUDA_THREADS
from ferrostep.backends.cuda.library import cupy


@cache
def module(source: str) -> Any:
    """Return the module of a source; CuPy compiles it at its first use, and keeps it on disk."""
    return cupy().RawModule(code=source)


@cache
def compiled(device: int, source: str, name: str) -> Any:
    """Return a kernel, compiled for the device."""
    with cupy().cuda.Device(device):
        kernel = module(source).get_function(name)
        kernel.compile()
        return kernel


def update_kernel(device: int, source: str) -> Any:
    """Return the update kernel of a source."""
    return compiled(device, source, "ferrostep_update")


@cache
def _by_value(size: int) -> np.dtype[Any]:
    """The type of one element that CuPy passes by value: a structure of so many bytes."""
    return np.dtype([("bytes", np.uint8, size)])


def arguments(
    device: int, chunks: int, table: Any, count: int, scalars: bytes, clip: int, apart: int
) -> tuple[Any, tuple[Any, ...]]:
    """Return the device as a context, and what an update kernel is called with.

    `clip` is the address of the gradients' scale, 0 if it is among the scalars; where each has its
    own, they are `apart` numbers of the compute type from each other.
    """
    struct = np.frombuffer(scalars, _by_value(len(scalars)))
    values = (table, np.int32(count), struct, np.uint64(clip), np.int64(apart))
    return cupy().cuda.Device(device), ((chunks,), (CUDA_THREADS,), values)
