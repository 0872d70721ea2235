"""A case's steps by its CUDA kernels alone, run on the host: tables and launches, no backend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs
from cases import Case
from ferrostep import _native
from support import emulation
from support.arrays import arrays_in, assert_same_bits, assert_same_numbers
from support.emulation import factors

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
    threads, fold = _native.CUDA_THREADS, _native.CUDA_FOLD
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
    while sums.size > 1:
        folded = np.full(-(-sums.size // fold), np.nan)
        arguments = [pointer(sums), np.int64(sums.size), pointer(folded)]
        name, grid = "ferrostep_norm_fold", blocks(folded.size)
        kernels.launch(name, grid, threads, arguments, backwards=backwards)
        sums = folded
    place = pointer(sums) if leaves else np.uint64(0)
    arguments = [place, np.float64(grad_scale), np.float64(max_norm), pointer(result)]
    kernels.launch("ferrostep_norm_finish", 1, 1, arguments)
    return result


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


class Emulated:
    """The parameters, which are updated in place, and their states."""

    def __init__(
        self,
        case: Case,
        params: Sequence[Array],
        *,
        compile: Callable[[str], Any] = emulation.compile,
        backwards: bool = False,
    ) -> None:
        self.compile = compile
        self.rule, self.factors = case.optimizer.RULE, case.optimizer.FACTORS
        self.options = case.make(None).defaults
        self.backwards = backwards
        self.params = params
        self.steps = [0] * len(params)
        self.arrays: list[dict[str, Array]] = [{} for _ in params]
        self.memory: list[dict[str, float]] = [{} for _ in params]

    @property
    def state(self) -> list[dict[str, Any]]:
        """Arrays and remembered numbers, by parameter."""
        return [{**a, **numbers} for a, numbers in zip(self.arrays, self.memory, strict=True)]

    def _make_states(self, i: int) -> None:
        p = self.params[i]
        compute = "float64" if p.dtype == np.float64 else "float32"
        dtype = np.dtype(self.options["state_dtype"] or compute)
        for name, initial, shape in _native.rule_states(self.rule, self.options, p.shape):
            self.arrays[i][name] = np.full(shape, initial, dtype)

    def step(
        self,
        grads: Sequence[Array | None],
        grad_scale: float = 1.0,
        max_norm: float | None = None,
        clip: str = "global",
    ) -> float | None:
        """One step; returns the norm where it was asked for."""
        stepped = [(i, g) for i, g in enumerate(grads) if g is not None]
        record = None
        if max_norm is not None:
            arrays = [g for _, g in stepped]
            params = [self.params[i] for i, _ in stepped]
            how = {"compile": self.compile, "backwards": self.backwards}
            each = clip == "parameter"
            record = clipping(arrays, params, grad_scale, max_norm, each=each, **how)
        launches: dict[Any, list[tuple[int, int, Array]]] = defaultdict(list)
        for number, (i, g) in enumerate(stepped):
            self.steps[i] += 1
            if self.steps[i] == 1:
                self._make_states(i)
            state = next((s.dtype.name for s in self.arrays[i].values()), None)
            kinds = (self.params[i].dtype.name, g.dtype.name, state)
            memory = tuple(self.memory[i].items())
            ndim = 2 if self.factors and g.ndim >= 2 else 1
            if g.size or ndim == 1:  # what is empty has no means
                launches[kinds, self.steps[i], memory, ndim].append((number, i, g))
        for (kinds, t, _, ndim), tensors in launches.items():
            self._launch(kinds, t, ndim, tensors, grad_scale, record)
        return None if record is None else float(record["norm"][0])

    def _launch(
        self,
        kinds: tuple[str, str, str | None],
        t: int,
        ndim: int,
        tensors: list[tuple[int, int, Array]],
        grad_scale: float,
        record: Array | None,
    ) -> None:
        kernel = self.compile(_native.cuda_source(self.rule, self.options, *kinds, ndim))
        first, chunks = pieces([g for *_, g in tensors], _native.CUDA_CHUNK)
        if not chunks:
            return
        rows = []
        for (number, i, g), chunk in zip(tensors, first, strict=True):
            states = [pointer(state) for state in self.arrays[i].values()]
            states += [np.uint64(0)] * (_native.CUDA_STATES - len(states))
            rows.append([pointer(self.params[i]), pointer(g), *states, g.size, chunk, number])
        table = np.array(rows, np.int64)
        place, apart = np.uint64(0), 0
        if record is not None:
            grad_scale = 1.0  # it is in the record
            wide = kinds[0] == "float64"
            each = len(record) > 1  # behind that of all
            place = pointer(record[each:]) + np.uint64(8 if wide else 16)
            apart = each * record.itemsize // (8 if wide else 4)
        before = self.memory[tensors[0][1]]
        given = (self.rule, self.options, kinds[0], t, t == 1)
        scalars, _ = _native.rule_scalars(*given, grad_scale, before)
        arguments = [scalars, place, np.int64(apart)]
        sums, beside = np.zeros((2, len(table))), []
        if ndim == 2:
            shapes = [g.shape for *_, g in tensors]
            launcher = factors.Launcher(kernel, table, shapes, self.backwards)
            beside = launcher.make(arguments, *factors.averages(self.options, kinds[0], t))
        if measuring := _native.rule_measuring(*given, before):
            own = self._measure(kernel, table, (arguments, beside), measuring, sums)
            arguments.append(pointer(own))
        for (_, i, _), of_this in zip(tensors, sums.T.tolist(), strict=True):
            _, self.memory[i] = _native.rule_scalars(*given, grad_scale, before, tuple(of_this))
        arguments = [pointer(table), np.int32(len(table)), *arguments, *beside]
        name, threads = "ferrostep_update", _native.CUDA_THREADS
        kernel.launch(name, chunks, threads, arguments, backwards=self.backwards)

    def _measure(
        self,
        kernel: Any,
        table: Array,
        given: tuple[list[Any], list[Any]],
        measuring: tuple[int, int, bytes],
        sums: Array,
    ) -> Array:
        """The scalars of each tensor; puts the sums that they follow from into `sums`."""
        (count, size, unrounded), lengths, (update, beside) = measuring, table[:, -3], given
        leaves = -(-lengths // _native.LEAF)
        first = np.cumsum([0, *np.tile(leaves, count)])[:-1]
        rows = np.zeros((count * len(table), 4), np.int64)
        rows[:, 1], rows[:, 2] = np.tile(lengths, count), first
        partials = np.full(count * int(leaves.sum()) * _native.LANES, np.nan)
        by_leaf = np.full(partials.size // _native.LANES, np.nan)
        own = np.zeros(len(table) * size, np.uint8)
        how = {"backwards": self.backwards}
        threads, norms = _native.CUDA_THREADS, self.compile(_native.cuda_norm_source())

        arguments = [pointer(table), pointer(rows), np.int32(len(table)), *update]
        arguments += [np.int64(leaves.sum()), pointer(partials), *beside]
        grid = blocks(partials.size // count)
        kernel.launch("ferrostep_terms", grid, threads, arguments, **how)
        arguments = [pointer(partials), np.int64(by_leaf.size), pointer(by_leaf)]
        norms.launch("ferrostep_norm_leaves", blocks(by_leaf.size), threads, arguments, **how)
        folded = fold_each(norms, rows, by_leaf, **how)
        each = np.frombuffer(unrounded * len(table), np.uint8)  # as either comes
        place = pointer(each) if self.backwards else np.uint64(0)
        arguments = [pointer(rows), np.int32(len(table)), unrounded, place]
        arguments += [pointer(folded), pointer(own)]
        kernel.launch("ferrostep_measured", blocks(len(table)), threads, arguments, **how)
        for m in range(count):
            there = lengths > 0
            sums[m, there] = folded[first.reshape(count, -1)[m, there]]
        return own


def shifted(array: Array, by: int) -> Array:
    """A copy that begins at an address that is no multiple of four elements."""
    room = np.empty(array.size + 8, array.dtype)
    begin = (-(room.ctypes.data // array.itemsize) % 4 + by) % 4
    out = room[begin : begin + array.size].reshape(array.shape)
    out[...] = array
    return out


def assert_same_run(found: Emulated, wanted: fs.Optimizer, what: str) -> None:
    params = [p for group in wanted.param_groups for p in group["params"]]
    for i, (p, q) in enumerate(zip(found.params, params, strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
        entry = wanted.state.get(i, {})
        count = {"step": found.steps[i]} if entry else {}
        assert_same_numbers({**count, **found.memory[i]}, entry)
        arrays = arrays_in(entry)
        assert found.arrays[i].keys() == arrays.keys()
        for name, array in arrays.items():
            assert_same_bits(found.arrays[i][name], array, f"{what} state {i} {name}")
