"""The one table of cases: what stands side by side in a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from benchmarks.peers import OWN, PEERS
from benchmarks.problem import Problem
from ferrostep import optimizers

LARGE = 100_000_000
TORCH = ("torch", "torch foreach", "torch fused")
#: torch starts its threads for the smallest tensors too: there it is faster with one.
TORCH_ALONE = ("torch, 1 thread", "torch fused, 1 thread")
#: torch's lists of tensors are worth it only where it has nothing fused.
APART = ("torch foreach", "NumPy, rows", "NumPy, matrices", "ferrostep in torch")
EVERYONE = tuple(label for label in PEERS if label not in APART)
AT_MEMORY_SPEED = tuple(label for label in EVERYONE if label != "empty call")
BY_HAND = ("NumPy", "NumPy with buffers")

#: Options that change the traffic of a class, beside its defaults.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD with momentum": ("SGD", {"lr": 1e-3, "momentum": 0.9}),
    "AdaptiveGains with momentum": ("AdaptiveGains", {"momentum": 0.8}),
    "RMSprop, centered, momentum": ("RMSprop", {"centered": True, "momentum": 0.9}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
}


def _every_optimizer() -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Every class that takes whole gradients, whatever other spellings it has, and its variants."""
    classes = dict.fromkeys(getattr(optimizers, name) for name in optimizers.__all__)
    for cls in [cls for cls in classes if not cls.ROWS_ONLY and not cls.MATRICES]:
        yield cls.__name__, (cls.__name__, {})
        yield from (item for item in VARIANTS.items() if item[1][0] == cls.__name__)


OPTIMIZERS = dict(_every_optimizer())


@dataclass(frozen=True)
class Entry:
    """One line of a case."""

    label: str
    peer: str
    problem: Problem
    threads: int
    #: Where another than the peer's own: see `Peer.tolerance`.
    tolerance: float | None = None


@dataclass(frozen=True)
class Case:
    """Entries that are measured interleaved. The first one's answers are the measure of all."""

    group: str
    name: str
    entries: Sequence[Entry]
    #: Whether another process keeps one core busy.
    busy: bool = False

    @property
    def values(self) -> int:
        return max(entry.problem.values for entry in self.entries)

    def capped(self, most: int) -> Self:
        entries = [replace(e, problem=e.problem.capped(most)) for e in self.entries]
        return replace(self, entries=entries)


@dataclass(frozen=True)
class MemoryCase:
    """The peak extra memory of a step."""

    group: str
    name: str
    problem: Problem

    @property
    def values(self) -> int:
        return self.problem.values

    def capped(self, most: int) -> Self:
        return replace(self, problem=self.problem.capped(most))


AnyCase = Case | MemoryCase


def _named(problem: Problem, what: str = "") -> str:
    return f"{what or problem.optimizer} {problem.tensors:,} x {problem.size:,}"


def _beside(problem: Problem, peers: Sequence[str], threads: int) -> list[Entry]:
    return [Entry(peer, peer, problem, threads) for peer in peers]


def _own(label: str, problem: Problem, threads: int, tolerance: float | None = None) -> Entry:
    return Entry(label, "ferrostep", problem, threads, tolerance)


def _peers(threads: int) -> Iterator[Case]:
    for tensors, size in [(10, 100), (10, 10_000), (10, 100_000), (10, 1_000_000), (1, LARGE)]:
        problem = Problem("Adam", tensors, size)
        peers = EVERYONE if problem.values <= 100_000 else AT_MEMORY_SPEED
        yield Case("peers", _named(problem), _beside(problem, peers, threads))
    many, one = Problem("Adam", 1_000, 1_000), Problem("Adam", 1, 1_000_000)
    entries = _beside(many, EVERYONE, threads)
    yield Case("peers", _named(many), [*entries, _own("one array of that size", one, threads)])
    rmsprop, momentum = Problem("RMSprop", 1, LARGE), Problem("Momentum", 1, LARGE)
    for problem in (rmsprop, momentum):
        entries = _beside(problem, ("ferrostep", "floor", *BY_HAND, *TORCH), threads)
        yield Case("peers", _named(problem), entries)
    clipped = Problem("Adam", 1, LARGE, max_norm=1.0)
    entries = _beside(clipped, ("ferrostep", "floor", *TORCH), threads)
    yield Case("peers", _named(clipped, "Adam clipped by norm"), entries)


def _optimizers(threads: int) -> Iterator[Case]:
    counts = sorted({1, min(2, threads), threads})
    for name, (optimizer, options) in OPTIMIZERS.items():
        for dtype in ("float32", "float64"):
            problem = Problem(optimizer, 1, LARGE, options, dtype)
            entries = [
                Entry(_threads(peer, n), peer, problem, n)
                for n in counts
                for peer in ("ferrostep", "floor")
            ]
            yield Case("optimizers", _named(problem, f"{name} {dtype}"), entries)


def _threads(what: str, n: int) -> str:
    return f"{what}, {n} {'thread' if n == 1 else 'threads'}"


def _bytes(threads: int) -> Iterator[Case]:
    """Fewer bytes in state, gradients and parameters."""
    plain = Problem("Adam", 1, LARGE)
    states = [replace(plain, options={"state_dtype": f"{kind}16"}) for kind in ("bfloat", "float")]
    entries = _beside(plain, ("ferrostep", "floor"), threads)
    for problem in states:
        label = f"{problem.options['state_dtype']} state"
        entries.append(_own(label, problem, threads, tolerance=1e-4))
        entries.append(Entry(f"floor of {label}", "floor", problem, threads))
    yield Case("bytes", _named(plain, "Adam, state"), entries)
    for what in ("gradient", "parameter"):
        entries = _beside(plain, ("ferrostep", "floor"), threads)
        for kind in ("bfloat16", "float16"):
            if what == "gradient":
                problem, tolerance = replace(plain, layout=f"{kind} gradient"), 1e-4
            else:
                problem, tolerance = replace(plain, dtype=kind), 0.1
            entries.append(_own(f"{kind} {what}", problem, threads, tolerance))
            entries.append(Entry(f"floor of {kind} {what}", "floor", problem, threads))
        yield Case("bytes", _named(plain, f"Adam, {what}s"), entries)


def _layouts(threads: int) -> Iterator[Case]:
    rows = Problem("Adam", 1, 10_000_000, layout="rows")
    orders = ("rows", "Fortran", "Fortran gradient", "Fortran parameter")
    others = ("reversed", "every second element", "unaligned", "other byte order")
    entries = [
        _own("contiguous" if layout == "rows" else layout, replace(rows, layout=layout), threads)
        for layout in (*orders, *others)
    ]
    yield Case("layouts", _named(rows, "Adam, layouts"), entries)


def _scaling(threads: int) -> Iterator[Case]:
    """One and two threads over sizes: where the second begins, and what it brings in cache."""
    for size in (5_000, 10_000, 20_000, 30_000, 50_000, 100_000, 200_000, 500_000, 1_000_000):
        problem = Problem("Adam", 1, size)
        entries = [_own(_threads("ferrostep", n), problem, n) for n in sorted({1, min(2, threads)})]
        yield Case("threads", _named(problem, "Adam, threads"), entries)


def _busy(threads: int) -> Iterator[Case]:
    peers = ("ferrostep", "floor", "numba", "torch fused")
    for tensors, size in [(10, 100_000), (1, 10_000_000)]:
        problem = Problem("Adam", tensors, size)
        name = _named(problem, "Adam, a core busy")
        yield Case("busy", name, _beside(problem, peers, threads), busy=True)


def _rows(threads: int) -> Iterator[Case]:
    """Gradients of some rows of a table: in the cache, and at random places of the memory."""
    for rows, columns, indices in [(10_000, 100, 64), (1_000_000, 64, 4_096)]:
        for optimizer in ("Adagrad", "Adam", "SparseAdam"):
            problem = Problem(optimizer, 1, rows * columns, columns=columns, indices=indices)
            name = f"{optimizer}, {indices:,} rows of {rows:,} x {columns}"
            yield Case(
                "rows", name, _beside(problem, ("ferrostep", "floor", "NumPy, rows"), threads)
            )


def _matrices(threads: int) -> Iterator[Case]:
    """Products that have one order, beside the BLAS, which multiplies and adds in one rounding."""
    for n in (256, 1_024):
        for dtype in ("float32", "float64"):
            problem = Problem("Muon", 1, n * n, {}, dtype, columns=n)
            name = f"Muon {n:,} x {n:,} {dtype}"
            yield Case(
                "matrices", name, _beside(problem, ("ferrostep", "NumPy, matrices"), threads)
            )


def _factors(threads: int) -> Iterator[Case]:
    for rows in (10_000, LARGE // 16):
        problem = Problem("Adafactor", 1, LARGE, columns=LARGE // rows)
        name = f"Adafactor {rows:,} x {LARGE // rows:,} float32"
        yield Case("factors", name, _beside(problem, ("ferrostep", "floor"), threads))


def _in_torch(threads: int) -> Iterator[Case]:
    """Our classes in the place of torch's: on tensors, with gradients made anew at each step."""
    small = [
        ("AdamW", tensors, size) for tensors, size in [(10, 100), (200, 2_500), (1_000, 1_000)]
    ]
    large = [(optimizer, 1, LARGE) for optimizer in ("AdamW", "RMSprop", "Adadelta", "Rprop")]
    for sizes in (*small, *large):
        problem = Problem(*sizes, anew=True)
        ours = Entry("ferrostep", "ferrostep in torch", problem, threads)
        alone = TORCH_ALONE if sizes in small else ()
        theirs = [Entry(label, label.partition(",")[0], problem, 1) for label in alone]
        entries = [ours, *_beside(problem, TORCH, threads), *theirs]
        yield Case("torch", _named(problem, f"{problem.optimizer} in torch"), entries)


def _memory() -> Iterator[MemoryCase]:
    for max_norm, what in [(None, "Adam, memory"), (1.0, "Adam clipped, memory")]:
        problem = Problem("Adam", 1, LARGE, max_norm=max_norm)
        yield MemoryCase("memory", _named(problem, what), problem)


def cases(threads: int) -> list[AnyCase]:
    """Return the table for a machine of that many threads."""
    return [
        *_peers(threads),
        *_bytes(threads),
        *_layouts(threads),
        *_scaling(threads),
        *_busy(threads),
        *_rows(threads),
        *_matrices(threads),
        *_factors(threads),
        *_in_torch(threads),
        *_memory(),
        *_optimizers(threads),
    ]


def chosen(table: Sequence[AnyCase], patterns: Sequence[str]) -> list[AnyCase]:
    """Return the cases whose group or name contains one of the patterns; all without patterns."""
    wanted = [pattern.lower() for pattern in patterns]
    return [
        case
        for case in table
        if not wanted or any(p in f"{case.group}: {case.name}".lower() for p in wanted)
    ]


def with_peers(table: Sequence[AnyCase], peers: Sequence[str]) -> list[AnyCase]:
    """Return the cases with only these peers beside ferrostep and its floors."""
    kept = {*peers, *OWN}
    return [
        replace(case, entries=[e for e in case.entries if e.peer in kept])
        if isinstance(case, Case)
        else case
        for case in table
    ]
