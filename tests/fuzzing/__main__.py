"""Run the Python fuzzers: ``python -m fuzzing`` in ``tests/``."""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fuzzing.arrays
import fuzzing.odd
import fuzzing.world
from fuzzing import checkpoints, session
from fuzzing.session import Found

FUZZERS: dict[str, Callable[..., None]] = {"api": session.run, "checkpoints": checkpoints.run}


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
        process = context.Process(target=work, args=(name, seed, worker, until, now, results))
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("fuzzer", nargs="*", default=list(FUZZERS), help=" or ".join(FUZZERS))
    parser.add_argument("--minutes", type=float, default=0.2, help="for each fuzzer")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="the first number of every seed; the time if left out",
    )
    parser.add_argument("--replay", type=Path, help="a session that was printed")
    given = parser.parse_args()
    if given.replay is not None:
        names = {
            **vars(np),
            **vars(fuzzing.arrays),
            **vars(fuzzing.odd),
            **vars(fuzzing.world),
            "np": np,
        }
        session.replay(eval(given.replay.read_text(), names))
        return 0
    seed = int(time.time()) if given.seed is None else given.seed
    failed = False
    for name in given.fuzzer:
        began = time.monotonic()
        counts, found = fuzz(name, 60 * given.minutes, given.processes, seed)
        took = time.monotonic() - began
        print(
            f"{name}: {counts['calls']} calls in {took:.0f} s, {len(found)} findings "
            f"({counts['seeds']} seeds from {(seed, 0, 0)} on)"
        )
        print(json.dumps(counts, sort_keys=True))
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
