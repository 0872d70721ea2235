"""How much of a case the memory of this machine holds."""

from __future__ import annotations

from benchmarks import machine, peers
from benchmarks.cases import AnyCase, Case, Entry
from benchmarks.layouts import dtype_called
from benchmarks.peers import AbsentError

#: The part of the available memory that may be taken.
SHARE = 0.85
#: What every problem holds besides its contenders: first parameters, and gradients.
SHARED_ARRAYS = 2
#: Arrays of a step of ours, all made in the process of a memory case.
OWN_ARRAYS = 4


def _bytes_per_value(case: AnyCase) -> int:
    if not isinstance(case, Case):
        return (SHARED_ARRAYS + OWN_ARRAYS) * dtype_called(case.problem.dtype).itemsize
    problems = {entry.problem for entry in case.entries}
    contenders = {(entry.peer, entry.problem): entry for entry in case.entries}
    total = sum(SHARED_ARRAYS * dtype_called(problem.dtype).itemsize for problem in problems)
    return total + sum(map(_contender_bytes, contenders.values()))


def _contender_bytes(entry: Entry) -> int:
    try:
        return peers.load(entry.peer).arrays * dtype_called(entry.problem.dtype).itemsize
    except AbsentError:
        return 0


def fitted(case: AnyCase, most: int) -> AnyCase:
    """Return the case with at most `most` values, and no more than memory holds, rounded down."""
    room = int(SHARE * machine.memory("MemAvailable")) // _bytes_per_value(case)
    if room < case.values:
        unit = 10 ** max(0, len(str(room)) - 2)
        room = room // unit * unit
    return case.capped(min(most, room))
