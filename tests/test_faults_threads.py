"""Optimizers, and one optimizer, used from many threads at once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from support.arrays import assert_same_state
from support.programs import Run, counts, digest, gradients, made, output

STEPS = 5


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Run all at once, and return what they return."""
    barrier = threading.Barrier(len(works))

    def begin(work: Callable[[], object]) -> object:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


def test_optimizers_of_every_case_while_the_number_of_threads_changes() -> None:
    stop = threading.Event()
    before = fs.get_num_threads()

    def disturb() -> None:
        n = 0
        while not stop.is_set():
            n = n % 5 + 1
            fs.set_num_threads(n)

    def train(case: Case) -> fs.Optimizer:
        rng = np.random.default_rng(1)
        params = [rng.standard_normal(n).astype(np.float32) for n in (90_001, 5)]
        opt = case.make(params)
        for _ in range(STEPS):
            opt.step([rng.standard_normal(p.shape).astype(np.float32) for p in params])
        return opt

    wanted = [train(case) for case in CASES]
    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        found = at_once([lambda case=case: train(case) for case in CASES])
    finally:
        stop.set()
        disturber.join()
        fs.set_num_threads(before)
    for a, b in zip(found, wanted, strict=True):
        assert_same_state(a, b)
        for p, q in zip(a._parameters(), b._parameters(), strict=True):
            np.testing.assert_array_equal(p, q)


def test_each_thread_has_its_own_number() -> None:
    before = fs.get_num_threads()

    def work(n: int) -> list[int]:
        seen = []
        for _ in range(200):
            with fs.num_threads(n):
                seen.append(fs.get_num_threads())
                with suppress(ZeroDivisionError), fs.num_threads(n + 1):
                    seen.append(fs.get_num_threads() - 1)
                    raise ZeroDivisionError
            seen.append(fs.get_num_threads() - before + n)
        return seen

    for n, seen in enumerate(at_once([lambda n=n: work(n) for n in range(1, 9)]), 1):
        assert set(seen) == {n}


def test_one_optimizer_from_many_threads_with_readers_and_skips() -> None:
    """Steps and skipped steps add up, and what a reader sees of the counts is a whole step."""
    opt, good = made(nonfinite="skip"), gradients()
    bad = [g.copy() for g in good]
    bad[2][-1, -1] = np.nan
    stop = threading.Event()

    def write() -> int:
        return sum(opt.step(g).applied for g in [good, bad] * STEPS)

    def read() -> int:
        looked = 0
        while not stop.is_set() or not looked:
            saved = opt.state_dict()
            assert set(saved["state"]) in (set(), {0, 1, 2})
            opt.param_groups[0]["lr"] = 0.001  # the same value, another object
            looked += 1
        return looked

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    assert at_once([write] * 6) == [STEPS] * 6
    stop.set()
    for reader in readers:
        reader.join()
    assert counts(opt) == [6 * STEPS] * 3
    assert opt.skipped_steps == 6 * STEPS
    assert digest(opt) == Run().at(6 * STEPS)


def test_an_optimizer_is_told_who_calls_it_from_within_its_step() -> None:
    errors = []

    def reentrant(key: object, name: str, like: np.ndarray, dtype: np.dtype) -> np.ndarray:
        for call in (lambda: opt.step(gradients()), opt.state_dict, opt.reset):
            with pytest.raises(RuntimeError, match="from within its own step") as caught:
                call()
            errors.append(caught)
        return np.empty_like(like, dtype)

    opt = made(state_factory=reentrant)
    opt.step(gradients())
    assert len(errors) == 3 * 6
    assert digest(opt) == Run().at(1)


LINUX = """
import os, threading, time
import numpy as np, ferrostep as fs

def workers():
    '''The CPUs that each worker may run on.'''
    found = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/status") as f:
                status = dict(line.split(":", 1) for line in f)
            if status["Name"].strip().startswith("ferrostep"):
                found.append(os.sched_getaffinity(int(task)))
        except OSError:  # it has just ended
            continue
    return found

p = np.zeros(400_000, np.float32)
opt, g = fs.SGD([p]), np.ones(400_000, np.float32)

def step(threads):
    with fs.num_threads(threads):
        opt.step([g])
"""

POOLS = (
    LINUX
    + """
def try_all():
    for threads in range(2, 25):
        step(threads)

def left(wanted):
    deadline = time.monotonic() + 60
    while len(workers()) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(workers())

try_all()
print(left(23))
step(2)
print(left(23))
threads = [threading.Thread(target=try_all) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
step(26)
print(left(25))
child = os.fork()
if child == 0:
    try_all()
    os._exit(left(23))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), left(25), opt.state_dict()["state"])
"""
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux' list of threads")


@linux
def test_threads_of_pools_that_are_too_small_end() -> None:
    assert [line.split(" {")[0] for line in output(POOLS)] == ["23", "23", "25", "23 25"]


CONFINED = (
    LINUX
    + """
everywhere = os.sched_getaffinity(0)
first, second = sorted(everywhere)[:2]

def confined():
    '''Whether the workers keep to this thread's affinity, soon after it has changed.'''
    time.sleep(0.002)
    step(3)
    mine = os.sched_getaffinity(0)
    return all(theirs <= mine for theirs in workers()) and len(workers()) == 2

def to(*cpus):
    os.sched_setaffinity(0, cpus)
    return confined()

print(confined())
print([to(first), to(second), to(first, second), to(first)])

def another():
    print([to(second), to(second, first), to(second)])

print([confined()])
thread = threading.Thread(target=another)
thread.start()
thread.join()
print([confined()])
print([to(*everywhere)])
if len(everywhere) == 2:  # off the caller's processor, but for moves between two looks
    print([any(len(theirs) == 1 for _ in range(50) if confined() for theirs in workers())])
else:
    print([True])
"""
)


@linux
def test_workers_keep_to_their_callers_affinity() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    found = output(CONFINED)
    assert len(found) == 7
    assert "False" not in "".join(found)


@linux
def test_a_pool_that_is_made_by_a_confined_thread() -> None:
    code = LINUX + (
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "step(3)\n"
        "print(all(theirs == os.sched_getaffinity(0) for theirs in workers()), len(workers()))"
    )
    assert output(code) == ["True 2"]
