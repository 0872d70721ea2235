"""The norm of gradients on one device, and the search for what is not finite.

`table` is the table of gradients on the device, of `count` rows, which have `leaves` leaves of the
reduction in all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from ferrostep._native import CUDA_FOLD, LANES, cuda_norm_source
from ferrostep.backends.cuda.library import cupy
from ferrostep.backends.cuda.update import compiled, launch

_source = cache(cuda_norm_source)


#: Folds sums to one of each row, which is where its leaves begin: see `fold_each`.
FOLD_EACH = "ferrostep_norm_fold_each"

#: Launches a kernel with so many threads and these arguments, or sees to it.
Launcher = Callable[[int, tuple[Any, ...]], None]


def norm_kernel(device: int, name: str) -> Any:
    """Return one of the kernels that reductions are made of."""
    return compiled(device, _source(), name)


def launch_of(device: int, name: str, threads: int, arguments: tuple[Any, ...]) -> None:
    """Launch one of them."""
    launch(norm_kernel(device, name), threads, arguments)


def _leaf_sums(device: int, table: Any, count: int, leaves: int) -> Any:
    partials = cupy().empty(leaves * LANES, np.float64)
    arguments = (table, np.int32(count), np.int64(leaves), partials)
    launch_of(device, "ferrostep_norm_partials", leaves * LANES, arguments)
    return fold_lanes(device, partials)


def fold_lanes(device: int, partials: Any) -> Any:
    """Return the sums of leaves, from those of their lanes."""
    leaves = partials.size // LANES
    sums = cupy().empty(leaves, np.float64)
    launch_of(device, "ferrostep_norm_leaves", leaves, (partials, np.int64(leaves), sums))
    return sums


def fold_each(fold: Launcher, table: Any, count: int, leaves: int, longest: int, sums: Any) -> Any:
    """Return the leaves' sums folded to one of each row, `fold` being what makes 32 to one."""
    levels = 0
    while 1 << levels < longest:
        folded = cupy().empty(leaves, np.float64)
        arguments = (table, np.int32(count), np.int64(leaves), np.int32(levels), sums, folded)
        fold(leaves, arguments)
        sums, levels = folded, levels + CUDA_FOLD.bit_length() - 1
    return sums


def leaf_sums(device: int, table: Any, count: int, leaves: int) -> list[float]:
    """Return the sum of squares of each leaf, waiting for it."""
    if leaves == 0:
        return []
    with cupy().cuda.Device(device):
        sums: list[float] = cupy().asnumpy(_leaf_sums(device, table, count, leaves)).tolist()
        return sums


def clip(
    device: int,
    table: Any,
    count: int,
    leaves: int,
    longest: int,
    grad_scale: float,
    max_norm: float,
    each: bool,
) -> tuple[Any, int]:
    """Return what `read_norm` reads, and the address of a record of norm, scale and float32 scale.

    With `each` it is the first of as many records as rows, of their own norms; the norm of all
    stands before them.  No gradient has more than `longest` leaves.
    """
    xp = cupy()
    with xp.cuda.Device(device):
        result = xp.empty(3 * (1 + count if each else 1), np.float64)
        first = result.data.ptr + (24 if each else 0)
        scales = (np.float64(grad_scale), np.float64(max_norm))
        sums: Any = _leaf_sums(device, table, count, leaves) if leaves else None
        if each and leaves:
            fold = partial(launch_of, device, FOLD_EACH)
            own = fold_each(fold, table, count, leaves, longest, sums)
            arguments: tuple[Any, ...] = (table, np.int32(count), own, *scales, np.uint64(first))
            launch_of(device, "ferrostep_norm_finish_each", count, arguments)
        while leaves and sums.size > 1:
            n, folded = sums.size, xp.empty(-(-sums.size // CUDA_FOLD), np.float64)
            launch_of(device, "ferrostep_norm_fold", folded.size, (sums, np.int64(n), folded))
            sums = folded
        total = np.uint64(0) if sums is None else sums
        launch_of(device, "ferrostep_norm_finish", 1, (total, *scales, result))
        return (result, xp.cuda.get_current_stream()), first


def read_norm(made: tuple[Any, Any]) -> float:
    """Return the norm that `clip` leaves on the device, waiting for it."""
    result, stream = made
    with cupy().cuda.Device(result.data.device_id):
        return float(cupy().asnumpy(result, stream=stream)[0])


def first_nonfinite(device: int, table: Any, count: int, leaves: int) -> int:
    """Return the first row with an element that is not finite, or `count`; waits for it."""
    if leaves == 0:
        return count
    xp = cupy()
    with xp.cuda.Device(device):
        first = xp.asarray(np.array([count], np.int32))
        arguments = (table, np.int32(count), np.int64(leaves), first)
        launch_of(device, "ferrostep_find_nonfinite", leaves * LANES, arguments)
        return int(xp.asnumpy(first)[0])
