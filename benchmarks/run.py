"""Carries out a case: makes everyone, compares answers, measures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from benchmarks import answers, peers
from benchmarks.cases import Case, Entry
from benchmarks.measure import Turn, interleave, quartiles
from benchmarks.peers import Contender, Peer
from benchmarks.problem import Array, Problem, Setting
from benchmarks.results import CaseFound, Found


class Contenders:
    """Everyone of a case, made once for each peer and problem, three steps on."""

    def __init__(self) -> None:
        self._settings: dict[Problem, Setting] = {}
        self._made: dict[tuple[str, Problem], Contender] = {}
        self._wanted: list[Array] | None = None

    def get(self, entry: Entry, peer: Peer) -> Contender:
        """Return the contender, its answers compared with those of the first one."""
        key = entry.peer, entry.problem
        if key not in self._made:
            setting = self._settings.get(entry.problem)
            if setting is None:
                setting = self._settings[entry.problem] = Setting(entry.problem)
            contender = peer.make(setting)
            for _ in range(answers.STEPS):
                if contender.renew is not None:
                    contender.renew()
                contender.step(contender.grads)
            self._compare(contender, peer.tolerance if entry.tolerance is None else entry.tolerance)
            self._made[key] = contender
        return self._made[key]

    def _compare(self, contender: Contender, tolerance: float) -> None:
        if contender.results is None:
            return
        if self._wanted is None:
            self._wanted = contender.results()
        else:
            answers.compare(contender.results(), self._wanted, tolerance)


def run(case: Case, wanted: int, seconds: float) -> CaseFound:
    contenders = Contenders()
    turns: dict[str, Turn] = {}
    errors: dict[str, str] = {}
    for entry in case.entries:
        try:
            peer = peers.load(entry.peer)
            peer.set_threads(entry.threads)
            contender = contenders.get(entry, peer)
        except Exception as error:  # whatever a peer raises is its line in the report
            errors[entry.label] = f"{type(error).__name__}: {error}".strip()
            continue
        prepare = partial(peer.set_threads, entry.threads)
        turns[entry.label] = Turn(prepare, contender.step, contender.grads, contender.renew)
    with _one_core_busy() if case.busy else nullcontext():
        interleave(list(turns.values()), seconds)
    found = [_found(entry, turns.get(entry.label), errors) for entry in case.entries]
    return CaseFound(case.name, case.group, wanted, case.values, found)


def _found(entry: Entry, turn: Turn | None, errors: dict[str, str]) -> Found:
    problem = entry.problem
    what = f"{problem.optimizer} {problem.dtype}"
    if turn is None:
        error = errors[entry.label]
        return Found(entry.label, what, problem.values, entry.threads, error=error)
    low, median, high = quartiles(turn.samples)
    return Found(
        entry.label,
        what,
        problem.values,
        entry.threads,
        median=median,
        low=low,
        high=high,
        samples=len(turn.samples),
    )


@contextmanager
def _one_core_busy() -> Iterator[None]:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()
