"""A case's steps by its CUDA kernels alone, run on the host: tables and launches, no backend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs
from cases import Case
from ferrostep import _native
from support import emulation
from support.arrays import arrays_in, assert_same_bits, assert_same_numbers
from support.emulation import factors
from support.emulation.norm import blocks, clipping, fold, fold_each, pieces, pointer

Array = NDArray[Any]


class Launch(NamedTuple):
    """Tensors that share their kernels, each with the gradient's number and its own."""

    kernel: Any
    table: Array
    tensors: list[tuple[int, int, Array]]
    given: tuple[Any, ...]
    grad_scale: float
    clip: list[Any]
    by_factors: bool


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
        self.rule, self.of_all = case.optimizer.RULE, case.optimizer.WHOLE_MODEL
        self.factors = case.optimizer.FACTORS
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
            launches[kinds, self.steps[i], memory, ndim].append((number, i, g))
        made = [
            self._launch(kinds, t, ndim, [of for of in tensors if of[2].size or ndim == 1], record)
            for (kinds, t, _, ndim), tensors in launches.items()
            if any(g.size for *_, g in tensors)
        ]
        if record is None:  # else it is in the record
            made = [launch._replace(grad_scale=grad_scale) for launch in made]
        of_all = self._over_all(made) if self.of_all else None
        for launch in made:
            self._run(launch, of_all)
        if of_all is not None:  # all of one group remember the same
            self.memory = [self.memory[made[0].tensors[0][1]]] * len(self.params)
        return None if record is None else float(record["norm"][0])

    def _launch(
        self,
        kinds: tuple[str, str, str | None],
        t: int,
        ndim: int,
        tensors: list[tuple[int, int, Array]],
        record: Array | None,
    ) -> Launch:
        kernel = self.compile(_native.cuda_source(self.rule, self.options, *kinds, ndim))
        first, _ = pieces([g for *_, g in tensors], _native.CUDA_CHUNK)
        rows = []
        for (number, i, g), chunk in zip(tensors, first, strict=True):
            states = [pointer(state) for state in self.arrays[i].values()]
            states += [np.uint64(0)] * (_native.CUDA_STATES - len(states))
            rows.append([pointer(self.params[i]), pointer(g), *states, g.size, chunk, number])
        place, apart = np.uint64(0), 0
        if record is not None:
            wide = kinds[0] == "float64"
            each = len(record) > 1  # behind that of all
            place = pointer(record[each:]) + np.uint64(8 if wide else 16)
            apart = each * record.itemsize // (8 if wide else 4)
        given = (self.rule, self.options, kinds[0], t, t == 1)
        clip = [place, np.int64(apart)]
        return Launch(kernel, np.array(rows, np.int64), tensors, given, 1.0, clip, ndim == 2)

    def _run(self, launch: Launch, of_all: tuple[float, ...] | None) -> None:
        kernel, table, tensors, given, grad_scale, clip, by_factors = launch
        before = self.memory[tensors[0][1]]
        scalars, after = _native.rule_scalars(*given, grad_scale, before, of_all)
        arguments, beside = [scalars, *clip], []
        if by_factors:
            shapes = [g.shape for *_, g in tensors]
            launcher = factors.Launcher(kernel, table, shapes, self.backwards)
            averages = factors.averages(self.options, given[2], given[3])
            beside = launcher.make(arguments, *averages)
        if of_all is None:
            sums = np.zeros((2, len(table)))
            if measuring := _native.rule_measuring(*given, before):
                own = self._measure(launch, (arguments, beside), measuring, sums)
                arguments.append(pointer(own))
            for (_, i, _), of_this in zip(tensors, sums.T.tolist(), strict=True):
                _, self.memory[i] = _native.rule_scalars(*given, 1.0, before, tuple(of_this))
        else:
            for _, i, _ in tensors:
                self.memory[i] = after
        arguments = [pointer(table), np.int32(len(table)), *arguments, *beside]
        name, threads = "ferrostep_update", _native.CUDA_THREADS
        _, chunks = pieces([g for *_, g in tensors], _native.CUDA_CHUNK)
        kernel.launch(name, chunks, threads, arguments, backwards=self.backwards)

    def _over_all(self, launches: list[Launch]) -> tuple[float, ...]:
        """The sums over all parameters, whose leaves are numbered through."""
        norms, by_parameter = self.compile(_native.cuda_norm_source()), {}
        for launch in launches:
            before = self.memory[launch.tensors[0][1]]
            scalars, _ = _native.rule_scalars(*launch.given, launch.grad_scale, before)
            count, *_ = _native.rule_measuring(*launch.given, before)
            _, leaves, by_leaf = self._terms(launch, ([scalars, *launch.clip], []), count)
            ends = np.cumsum(leaves)[:-1]
            of_tensors = np.split(by_leaf.reshape(count, -1), ends, axis=1)
            for (_, i, _), of_tensor in zip(launch.tensors, of_tensors, strict=True):
                by_parameter[i] = of_tensor
        in_order = np.concatenate([by_parameter[i] for i in sorted(by_parameter)], axis=1)
        folded = [fold(norms, row.copy(), backwards=self.backwards) for row in in_order]
        return tuple(float(sums[0]) for sums in folded)

    def _terms(
        self, launch: Launch, given: tuple[list[Any], list[Any]], count: int
    ) -> tuple[Array, Array, Array]:
        """The rows of what is summed, the leaves of each tensor, and their sums."""
        kernel, table, *_ = launch
        lengths, (update, beside) = table[:, -3], given
        leaves = -(-lengths // _native.LEAF)
        rows = np.zeros((count * len(table), 4), np.int64)
        rows[:, 1] = np.tile(lengths, count)
        rows[:, 2] = np.cumsum([0, *np.tile(leaves, count)])[:-1]
        partials = np.full(count * int(leaves.sum()) * _native.LANES, np.nan)
        by_leaf = np.full(partials.size // _native.LANES, np.nan)
        how = {"backwards": self.backwards}
        threads, norms = _native.CUDA_THREADS, self.compile(_native.cuda_norm_source())
        arguments = [pointer(table), pointer(rows), np.int32(len(table)), *update]
        arguments += [np.int64(leaves.sum()), pointer(partials), *beside]
        grid = blocks(partials.size // count)
        kernel.launch("ferrostep_terms", grid, threads, arguments, **how)
        arguments = [pointer(partials), np.int64(by_leaf.size), pointer(by_leaf)]
        norms.launch("ferrostep_norm_leaves", blocks(by_leaf.size), threads, arguments, **how)
        return rows, leaves, by_leaf

    def _measure(
        self,
        launch: Launch,
        given: tuple[list[Any], list[Any]],
        measuring: tuple[int, int, bytes],
        sums: Array,
    ) -> Array:
        """The scalars of each tensor; puts the sums that they follow from into `sums`."""
        kernel, table, *_ = launch
        count, size, unrounded = measuring
        rows, leaves, by_leaf = self._terms(launch, given, count)
        own = np.zeros(len(table) * size, np.uint8)
        norms = self.compile(_native.cuda_norm_source())
        folded = fold_each(norms, rows, by_leaf, backwards=self.backwards)
        each = np.frombuffer(unrounded * len(table), np.uint8)  # as either comes
        place = pointer(each) if self.backwards else np.uint64(0)
        arguments = [pointer(rows), np.int32(len(table)), unrounded, place]
        arguments += [pointer(folded), pointer(own)]
        name, threads = "ferrostep_measured", _native.CUDA_THREADS
        kernel.launch(name, blocks(len(table)), threads, arguments, backwards=self.backwards)
        first = rows[:, 2].reshape(count, -1)
        for m in range(count):
            sums[m, leaves > 0] = folded[first[m, leaves > 0]]
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
