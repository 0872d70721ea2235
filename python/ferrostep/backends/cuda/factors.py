"""The factors of matrices, made before the kernels of a rule that has them as its states."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ferrostep._native import CUDA_THREADS
from ferrostep.backends.cuda.library import cupy
from ferrostep.backends.cuda.norm import fold_each
from ferrostep.backends.cuda.update import by_value, compiled, launch

#: A table of what is summed up line by line, how many lanes and leaves there are, and the most
#: leaves of a line.
Lines = tuple[Any, int, int, int]
NAMES = ("squares", "leaves_of_lines", "fold_lines", "states", "sums_of_rows", "ratios")


def factor_kernels(device: int, source: str) -> dict[str, Any]:
    """Return the kernels of a source that make factors."""
    return {name: compiled(device, source, f"ferrostep_{name}") for name in NAMES}


def _folded(kernels: dict[str, Any], count: int, lines: Lines, lanes: Any) -> Any:
    """Return the sums of lines, each where its leaves begin, from those of their lanes."""
    table, _, leaves, longest = lines
    sums = cupy().empty(leaves, np.float64)
    arguments = (table, np.int32(count), np.int64(leaves))
    launch(kernels["leaves_of_lines"], leaves, (*arguments, lanes, sums))
    return fold_each(partial(launch, kernels["fold_lines"]), table, count, leaves, longest, sums)


def factors(
    device: int,
    kernels: dict[str, Any],
    tables: tuple[Any, Any],
    lines: tuple[Lines, Lines],
    shape: tuple[int, int, int],
    update: tuple[bytes, int, int],
    averages: tuple[bytes, str],
) -> tuple[Any, ...]:
    """Return what the kernels of terms and of the update take of the factors; writes no tensor.

    `tables` are that of the tensors and that of their matrices; `lines` are the rows of these, and
    what each has as states of its rows; `shape` is the number of tensors, of rows and of columns;
    `update` is what the update takes of scalars and the clipping factor; `averages` is how states
    average, and the type computed in.
    """
    (tensors, matrices), (along, states), (scalars, clip, apart) = tables, lines, update
    (count, rows, columns), how, xp = shape, by_value(averages[0]), cupy()
    of = (matrices, along[0], np.int32(count))
    of_states = (matrices, states[0], np.int32(count))
    with xp.cuda.Device(device):
        down, lanes = xp.empty(columns, np.float64), xp.empty(along[1], np.float64)
        arguments: tuple[Any, ...] = (by_value(scalars), np.uint64(clip), np.int64(apart))
        arguments += (np.int64(columns), np.int64(along[1]), down, lanes)
        in_blocks = -(-columns // CUDA_THREADS) * CUDA_THREADS
        launch(kernels["squares"], in_blocks + along[1], (tensors, *of, *arguments))
        sums = _folded(kernels, count, along, lanes)

        made = xp.empty(2 * rows + columns, averages[1])
        arguments = (how, np.int64(rows), np.int64(columns), sums, down, made)
        launch(kernels["states"], rows + columns, (tensors, *of, *arguments))

        lanes = xp.empty(states[1], np.float64)
        arguments = (np.int64(states[1]), made[rows:], lanes)
        launch(kernels["sums_of_rows"], states[1], (*of_states, *arguments))
        sums = _folded(kernels, count, states, lanes)
        launch(kernels["ratios"], rows, (*of_states, how, np.int64(rows), sums, made))
        return matrices, made, np.int64(rows)
