"""The factors of matrices by their kernels alone, run on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrostep import _native
from support.arrays import Array

#: What a type's numbers are apart at 1.
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def pointer(array: Array) -> np.uint64:
    return np.uint64(array.ctypes.data)


def averages(o: dict[str, Any], param: str, t: int) -> tuple[bytes, Any]:
    """How states average at step `t`, as the kernels take it, and the type computed in."""
    part, original = _native.real_power(t, o["beta2_decay"]), o["form"] == "original"
    eps1 = o["eps"][0]
    if eps1 is None:
        eps1 = 1e-30 if original else EPS[param]
    real = np.float64 if param == "float64" else np.float32
    kept = np.array([1 - part, part], real).tobytes()
    return kept + np.array([eps1, 0.0] if original else [0.0, eps1]).tobytes(), real


class Lines:
    """Lines of each tensor that are summed up: `count` of the same length."""

    def __init__(self, counts: list[int], lengths: list[int]) -> None:
        leaves = [-(-n // _native.LEAF) for n in lengths]
        of_each = [count * of for count, of in zip(counts, leaves, strict=True)]
        lanes = [n * min(_native.LANES, of) for n, of in zip(of_each, lengths, strict=True)]
        first = [np.cumsum([0, *numbers])[:-1] for numbers in (lanes, of_each)]
        self.table = np.array([lengths, *first], np.int64).T.copy()
        self.lanes, self.leaves, self.longest = sum(lanes), sum(of_each), max(leaves)


class Launcher:
    """Launches of one step's factors. New memory is NaN, so that what was not written shows."""

    def __init__(self, kernel: Any, table: Array, shapes: list[Any], backwards: bool) -> None:
        self.kernel, self.table, self.backwards = kernel, table, backwards
        self.count = np.int32(len(shapes))
        rows, columns = ([shape[axis] for shape in shapes] for axis in (-2, -1))
        matrices = [int(np.prod(shape[:-2])) for shape in shapes]
        of_rows, of_columns = np.multiply(matrices, rows), np.multiply(matrices, columns)
        first = [np.cumsum([0, *numbers])[:-1] for numbers in (of_rows, of_columns)]
        self.matrices = np.array([rows, columns, *first], np.int64).T.copy()
        self.rows, self.columns = int(of_rows.sum()), int(of_columns.sum())
        self.along, self.states = Lines(of_rows.tolist(), columns), Lines(matrices, rows)

    def _launch(self, name: str, threads: int, arguments: list[Any]) -> None:
        values = [pointer(x) if isinstance(x, np.ndarray) else x for x in arguments]
        grid = -(-threads // _native.CUDA_THREADS)
        how = {"backwards": self.backwards}
        self.kernel.launch(f"ferrostep_{name}", grid, _native.CUDA_THREADS, values, **how)

    def _folded(self, lines: Lines, lanes: Array) -> Array:
        arguments = [lines.table, self.count, np.int64(lines.leaves)]
        sums = np.full(lines.leaves, np.nan)
        self._launch("leaves_of_lines", lines.leaves, [*arguments, lanes, sums])
        levels = 0
        while 1 << levels < lines.longest:
            folded = np.full(lines.leaves, np.nan)
            of_level = [*arguments, np.int32(levels), sums, folded]
            self._launch("fold_lines", lines.leaves, of_level)
            sums, levels = folded, levels + _native.CUDA_FOLD.bit_length() - 1
        return sums

    def make(self, update: list[Any], how: bytes, real: Any) -> list[Any]:
        """What the kernels of terms and of the update take of the factors."""
        rows, columns, lanes = self.rows, self.columns, self.along.lanes
        down, along = np.full(columns, np.nan), np.full(lanes, np.nan)
        tables = [self.table, self.matrices, self.along.table, self.count]
        threads = -(-columns // _native.CUDA_THREADS) * _native.CUDA_THREADS + lanes
        sizes = [np.int64(columns), np.int64(lanes)]
        self._launch("squares", threads, [*tables, *update, *sizes, down, along])
        sums = self._folded(self.along, along)
        factors = np.full(2 * rows + columns, np.nan, real)
        arguments = [*tables, how, np.int64(rows), np.int64(columns), sums, down, factors]
        self._launch("states", rows + columns, arguments)
        tables, lanes = [self.matrices, self.states.table, self.count], self.states.lanes
        of_states = np.full(lanes, np.nan)
        arguments = [*tables, np.int64(lanes), factors[rows:], of_states]
        self._launch("sums_of_rows", lanes, arguments)
        sums = self._folded(self.states, of_states)
        self._launch("ratios", rows, [*tables, how, np.int64(rows), sums, factors])
        self.factors = factors  # the kernels have its address
        return [pointer(self.matrices), pointer(factors), np.int64(rows)]
