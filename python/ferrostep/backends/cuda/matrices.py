"""Matrices that become orthogonal: the launches that do it, to be made when the step is sure."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ferrostep._native import CUDA_THREADS, LANES
from ferrostep.backends.cuda.library import cupy
from ferrostep.backends.cuda.norm import FOLD_EACH, fold_each, norm_kernel
from ferrostep.backends.cuda.update import compiled, kernel_call

Call = tuple[Any, tuple[Any, ...]]


class Sizes(NamedTuple):
    """Of so many matrices of one shape."""

    matrices: int
    shape: tuple[int, int]
    #: From one row to the next, of those with no more rows than columns and of their mirror images.
    lines: tuple[int, int]
    #: Of a norm.
    leaves: int
    #: That make a product of rows by rows, and of rows by columns.
    blocks: tuple[int, int]


class Places(NamedTuple):
    """Where they lie: as they are given and taken, and meanwhile."""

    given: int
    x: tuple[int, int]
    turned: tuple[int, int]
    gram: int
    polynomial: int


def matrix_kernels(device: int, source: str) -> tuple[Any, Any, Any]:
    """Return the kernels of a source that begin, multiply and end."""
    names = ("begin", "product", "end")
    begin, product, end = (compiled(device, source, f"ferrostep_matrix_{x}") for x in names)
    return begin, product, end


def workspace(device: int, size: int) -> Any:
    """Return so many bytes on a device, whatever is in them."""
    with cupy().cuda.Device(device):
        return cupy().empty(size, np.uint8)


def orthogonal(
    device: int,
    of: tuple[tuple[Any, Any, Any], str],
    summed: Any,
    sizes: tuple[Any, ...],
    places: tuple[Any, ...],
    settings: tuple[tuple[float, float, float], float, int],
) -> list[Call]:
    """Return kernels with what they are called with, in order.

    `of` has those of `matrix_kernels` and the name of the type computed in; `summed` is
    the table of the matrices as arrays of which a norm is taken; `settings` are the polynomial's
    coefficients, what a norm is at least, and the number of steps.
    """
    size, at = Sizes(*sizes), Places(*places)
    ((begin, multiply, end), dtype), (coefficients, eps, steps) = of, settings
    a, b, c, one = np.array([*coefficients, 1.0], dtype)
    calls, norms = _norms(device, summed, size.matrices, size.leaves)

    def add(kernel: Any, blocks: int, *arguments: Any) -> None:
        numbers = (np.int64(x) if isinstance(x, int) else x for x in arguments)
        calls.append((kernel, ((blocks,), (CUDA_THREADS,), tuple(numbers))))

    rows, columns = sorted(size.shape)
    line, turned_line = size.lines

    def square(left: int, depth: int, kept: tuple[Any, ...], to: int) -> None:
        of = (left, turned_line, left, turned_line, depth, rows, rows)
        add(multiply, size.blocks[0], *of, *kept, to, to, np.bool_(True))

    all_of_them = (size.matrices, *size.shape)
    threads = -(-math.prod(all_of_them) // CUDA_THREADS)
    x, turned = ((place, line) for place in at.x), ((place, turned_line) for place in at.turned)
    tall = size.shape[0] > size.shape[1]
    same, other = (list(turned), list(x)) if tall else (list(x), list(turned))
    add(begin, threads, at.given, *all_of_them, norms, np.float64(eps), *same[0], *other[0])
    for step in range(steps):
        old, new = step % 2, (step + 1) % 2
        square(at.turned[old], columns, (0, one, one), at.gram)
        square(at.gram, rows, (at.gram, b, c), at.polynomial)
        operands = (at.polynomial, turned_line, at.x[old], line, rows, rows, columns)
        to = (at.x[old], a, one, at.x[new], at.turned[new])
        add(multiply, size.blocks[1], *operands, *to, np.bool_(False))
    add(end, threads, *same[steps % 2], *all_of_them, at.given)
    return calls


def _norms(device: int, summed: Any, count: int, leaves: int) -> tuple[list[Call], Any]:
    """Return what takes each matrix' norm, and the records that begin with it."""
    xp = cupy()
    calls: list[Call] = []

    def launch(name: str, threads: int, arguments: tuple[Any, ...]) -> None:
        calls.append((norm_kernel(device, name), kernel_call(threads, arguments)))

    with xp.cuda.Device(device):
        all_leaves = count * leaves
        partials = xp.empty(all_leaves * LANES, np.float64)
        sums = xp.empty(all_leaves, np.float64)
        records = xp.empty(3 * count, np.float64)
        arguments: tuple[Any, ...] = (summed, np.int32(count), np.int64(all_leaves), partials)
        launch("ferrostep_norm_partials", all_leaves * LANES, arguments)
        launch("ferrostep_norm_leaves", all_leaves, (partials, np.int64(all_leaves), sums))
        sums = fold_each(partial(launch, FOLD_EACH), summed, count, all_leaves, leaves, sums)
        scale = (np.float64(1), np.float64(np.inf))
        launch(
            "ferrostep_norm_finish_each", count, (summed, np.int32(count), sums, *scale, records)
        )
    return calls, records
