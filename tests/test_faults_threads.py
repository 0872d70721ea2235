"""Optimizers, and one optimizer, used from many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from programs import Run, counts, digest, gradients, made
from support import assert_same_state

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

    cases = CASES[::4]
    wanted = [train(case) for case in cases]
    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        found = at_once([lambda case=case: train(case) for case in cases])
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
