"""What is summed over gradients by the CUDA kernels, run on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrostep import _native
from support import emulation

Array = NDArray[Any]

KINDS = {"float16": 0, "bfloat16": 1, "float32": 2, "float64": 3}
WIDE_FLOAT64 = 4


def pointer(array: Array) -> np.uint64:
    assert array.flags.c_contiguous
    return np.uint64(array.ctypes.data)


def pieces(arrays: Sequence[Array], size: int) -> tuple[list[int], int]:
    """The number of each array's first piece, and the number of all pieces."""
    counts = [-(-array.size // size) for array in arrays]
    ends = np.cumsum([0, *counts]).tolist()
    return ends[:-1], ends[-1]


def blocks(threads: int) -> int:
    return -(-threads // _native.CUDA_THREADS)


def gradient_table(grads: Sequence[Array], params: Sequence[Array]) -> tuple[Array, int]:
    """The rows of the norm's kernels, and the number of leaves."""
    first, leaves = pieces(grads, _native.LEAF)
    rows = []
    for g, p, leaf in zip(grads, params, first, strict=True):
        wide = g.dtype == np.float64 and p.dtype == np.float64
        rows.append([pointer(g), g.size, leaf, WIDE_FLOAT64 if wide else KINDS[g.dtype.name]])
    return np.array(rows, np.int64).reshape(-1, 4), leaves


def clipping(
    grads: Sequence[Array],
    params: Sequence[Array],
    grad_scale: float = 1.0,
    max_norm: float = np.inf,
    *,
    each: bool = False,
    compile: Callable[[str], Any] = emulation.compile,
    backwards: bool = False,
) -> Array:
    """The records that the norm's last kernels write: of all gradients, and `each` of its own."""
    kernels = compile(_native.cuda_norm_source())
    threads = _native.CUDA_THREADS
    table, leaves = gradient_table(grads, params)
    kind = [("norm", "f8"), ("scale", "f8"), ("scale_float", "f4"), ("", "f4")]
    result = np.zeros(1 + each * len(table), kind)
    sums = np.full(leaves, np.nan)
    if leaves:
        partials = np.full(leaves * _native.LANES, np.nan)
        arguments = [pointer(table), np.int32(len(table)), np.int64(leaves), pointer(partials)]
        name, grid = "ferrostep_norm_partials", blocks(partials.size)
        kernels.launch(name, grid, threads, arguments, backwards=backwards)
        arguments = [pointer(partials), np.int64(leaves), pointer(sums)]
        name, grid = "ferrostep_norm_leaves", blocks(leaves)
        kernels.launch(name, grid, threads, arguments, backwards=backwards)
    by_leaf = fold_each(kernels, table, sums, backwards=backwards) if each else sums
    if each and len(table):
        arguments = [pointer(table), np.int32(len(table)), pointer(by_leaf)]
        arguments += [np.float64(grad_scale), np.float64(max_norm), pointer(result[1:])]
        name, grid = "ferrostep_norm_finish_each", blocks(len(table))
        kernels.launch(name, grid, threads, arguments, backwards=backwards)
    sums = fold(kernels, sums, backwards=backwards)
    place = pointer(sums) if leaves else np.uint64(0)
    arguments = [place, np.float64(grad_scale), np.float64(max_norm), pointer(result)]
    kernels.launch("ferrostep_norm_finish", 1, 1, arguments)
    return result


def fold(kernels: Any, sums: Array, *, backwards: bool) -> Array:
    """The sums of leaves, folded to one; nothing of nothing."""
    while sums.size > 1:
        folded = np.full(-(-sums.size // _native.CUDA_FOLD), np.nan)
        arguments = [pointer(sums), np.int64(sums.size), pointer(folded)]
        name, grid = "ferrostep_norm_fold", blocks(folded.size)
        kernels.launch(name, grid, _native.CUDA_THREADS, arguments, backwards=backwards)
        sums = folded
    return sums


def fold_each(kernels: Any, table: Array, sums: Array, *, backwards: bool) -> Array:
    """The sums of leaves, folded to one of each row where its leaves begin."""
    levels = 0
    while 1 << levels < sums.size:
        folded = np.full(sums.size, np.nan)
        arguments = [pointer(table), np.int32(len(table)), np.int64(sums.size), np.int32(levels)]
        arguments += [pointer(sums), pointer(folded)]
        name, grid = "ferrostep_norm_fold_each", blocks(sums.size)
        kernels.launch(name, grid, _native.CUDA_THREADS, arguments, backwards=backwards)
        sums, levels = folded, levels + _native.CUDA_FOLD.bit_length() - 1
    return sums


def first_nonfinite(
    grads: Sequence[Array],
    params: Sequence[Array],
    compile: Callable[[str], Any] = emulation.compile,
) -> int | None:
    table, leaves = gradient_table(grads, params)
    first = np.full(1, len(table), np.int32)
    if leaves:
        kernels = compile(_native.cuda_norm_source())
        arguments = [pointer(table), np.int32(len(table)), np.int64(leaves), pointer(first)]
        grid = blocks(leaves * _native.LANES)
        kernels.launch("ferrostep_find_nonfinite", grid, _native.CUDA_THREADS, arguments)
    return None if first[0] == len(table) else int(first[0])
