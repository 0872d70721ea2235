"""Fuzzing in processes of their own, so that one that crashes leaves the seed that it was at."""

from __future__ import annotations

import faulthandler
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from fuzzing import checkpoints, session, ways
from fuzzing.session import Found

FUZZERS: dict[str, Callable[..., None]] = {
    "api": session.run,
    "ways": ways.run,
    "checkpoints": checkpoints.run,
}


def report(name: str, seed: Any, found: Found) -> str:
    if name == "api":
        found = session.shortened(found)
    return f"{name}, seed {seed}: {found}\n{session.script(found.session)}"


def work(name: str, seed: int, worker: int, until: float, now: Any, results: Any) -> None:
    """Fuzz until the time is over; `now` tells the parent where, should the process die."""
    faulthandler.enable()
    counts: Counter[str] = Counter()
    found: list[str] = []
    number = 0
    while time.monotonic() < until and len(found) < 10:
        now.value = number
        this = (seed, worker, number)
        try:
            FUZZERS[name](this, counts)
        except Found as error:
            found.append(report(name, this, error))
            print(found[-1], flush=True)
        number += 1
    counts["seeds"] = number
    results.put((worker, dict(counts), found))


def fuzz(name: str, seconds: float, processes: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Fuzz in processes of their own; return the counts, and what was found."""
    context = multiprocessing.get_context("spawn")
    until, results = time.monotonic() + seconds, context.Queue()
    workers = []
    for worker in range(processes):
        now = context.Value("Q", 0)
        arguments = (name, seed, worker, until, now, results)
        process = context.Process(target=work, args=arguments, daemon=True)
        process.start()
        workers.append((process, now))
    counts: Counter[str] = Counter()
    found: list[str] = []
    waiting = set(range(processes))
    while waiting:
        dead = {i for i in waiting if not workers[i][0].is_alive()}
        while not results.empty():
            worker, some, more = results.get()
            counts.update(some)
            found += more
            waiting.discard(worker)
        for worker in dead & waiting:
            process, now = workers[worker]
            found.append(f"{name}, seed {(seed, worker, now.value)}: exit code {process.exitcode}")
            print(found[-1], flush=True)
            waiting.discard(worker)
        time.sleep(0.05)
    for process, _ in workers:
        process.join()
    return counts, found
