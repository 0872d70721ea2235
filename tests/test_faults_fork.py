"""Processes that are forked or spawned in the middle of training."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import ferrostep as fs
from support.programs import Run, counts, digest, gradients, in_child, made

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def go_on(opt: fs.Optimizer, steps: int) -> str:
    for _ in range(steps):
        opt.step(gradients())
    return digest(opt)


def test_child_and_grandchild_go_on_with_the_runs_bits() -> None:
    run, opt = Run(), made()

    def child() -> str:
        opt.step(gradients())
        return in_child(lambda: go_on(opt, 1)) + " " + go_on(opt, 2)

    with fs.num_threads(3):
        for step in range(3):
            assert in_child(child) == f"{run.at(step + 2)} {run.at(step + 3)}"
            opt.step(gradients())
    assert digest(opt) == run.at(3)


def send_digest(opt: fs.Optimizer, pipe: Any) -> None:
    with fs.num_threads(2):
        pipe.send(go_on(opt, 2))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str) -> None:
    opt = made(fs.Momentum)
    context = multiprocessing.get_context(method)
    with fs.num_threads(3):
        opt.step(gradients())
        ours, theirs = context.Pipe()
        child = context.Process(target=send_digest, args=(opt, theirs), daemon=True)
        child.start()
        assert ours.poll(60)
        found = ours.recv()
        child.join(60)
    assert child.exitcode == 0
    run = Run(fs.Momentum)
    assert found == run.at(3)
    assert digest(opt) == run.at(1)


def test_a_fork_while_another_thread_is_in_the_step() -> None:
    """The child has a torn optimizer and is told so, or a whole one; a new one works always."""
    run, opt = Run(), made()
    stop = threading.Event()

    def train() -> None:
        with fs.num_threads(2):
            while not stop.is_set():
                opt.step(gradients())

    def child() -> str:
        fresh = made()
        assert go_on(fresh, 1) == run.at(1)
        try:
            opt.step(gradients())
        except RuntimeError as error:
            return str(error)
        return f"{opt.state[0]['step']} {digest(opt)}"

    thread = threading.Thread(target=train)
    thread.start()
    found = []
    for _ in range(25):
        time.sleep(random.random() * 0.01)
        found.append(in_child(child))
    stop.set()
    thread.join()
    torn = [text for text in found if text.startswith("another thread was in this optimizer's st")]
    assert torn, "no fork met a step"
    for text in set(found) - set(torn):
        step, after = text.split()
        assert after == run.at(int(step))
    assert digest(opt) == run.at(counts(opt)[0])


def test_state_on_disk_is_not_shared_with_a_child(tmp_path: Path) -> None:
    run, opt = Run(), made(state_factory=fs.MemmapState(tmp_path))
    opt.step(gradients())

    def refused() -> str:
        with pytest.raises(RuntimeError, match="before the process was forked"):
            opt.step(gradients())
        opt.load_state_dict(opt.state_dict())
        return go_on(opt, 3)

    def anew() -> str:
        opt.reset()
        return go_on(opt, 1) and str(counts(opt))

    assert in_child(refused) == run.at(4)
    assert in_child(anew) == "[1, 1, 1]"
    assert go_on(opt, 1) == run.at(2)


def test_a_fork_between_making_state_and_stepping_leaves_the_parent_whole(tmp_path: Path) -> None:
    """The fork happens inside a step, in Python code that it calls."""
    told = []

    def forking(key: Any, name: str, like: Any, dtype: Any) -> Any:
        if not told:
            told.append(in_child(lambda: go_on(opt, 1)))
        return fs.MemmapState(tmp_path)(key, name, like, dtype)

    opt = made(state_factory=forking)
    assert go_on(opt, 2) == Run().at(2)
    assert told[0].startswith("RuntimeError: another thread was in this optimizer's step")
