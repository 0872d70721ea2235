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


def kernel(device: int, source: str, name: str) -> Any:
    """Return the kernel ``ferrostep_{name}`` of a source."""
    return compiled(device, source, f"ferrostep_{name}")


def kernel_call(threads: int, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return grid, block and arguments of so many threads, or some more."""
    return (-(-threads // CUDA_THREADS),), (min(threads, CUDA_THREADS),), arguments


def launch(kernel: Any, threads: int, arguments: tuple[Any, ...]) -> None:
    """Launch a kernel with so many threads, or some more."""
    kernel(*kernel_call(threads, arguments))


@cache
def _bytes(size: int) -> np.dtype[Any]:
    return np.dtype([("bytes", np.uint8, size)])


def by_value(struct: bytes) -> Any:
    """Return what CuPy passes by value: one element, a structure of so many bytes."""
    return np.frombuffer(struct, _bytes(len(struct)))


def arguments(
    device: int,
    chunks: int,
    table: Any,
    count: int,
    scalars: bytes,
    clip: int,
    apart: int,
    own: Any,
    beside: tuple[Any, ...],
) -> tuple[Any, tuple[Any, ...]]:
    """Return the device as a context, and what an update kernel is called with.

    `clip` is the address of the gradients' scale, 0 if it is among the scalars; where each has its
    own, they are `apart` numbers of the compute type from each other.  `own` has the scalars of
    each tensor, None if they have all in common; `beside` is what else the kernel takes.
    """
    values: tuple[Any, ...] = (table, np.int32(count), by_value(scalars), np.uint64(clip))
    values += (np.int64(apart),)
    values += () if own is None else (own,)
    values += beside
    return cupy().cuda.Device(device), ((chunks,), (CUDA_THREADS,), values)
