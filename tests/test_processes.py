"""Threads that call in parallel, fork, and the end of the interpreter."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits
from support.programs import output

BIG = 400_001  # large enough for several threads and for releasing the GIL


def run(steps: int, n: int = BIG) -> np.ndarray[Any, Any]:
    p = np.linspace(-1, 1, n, dtype=np.float32)
    opt = fs.Adam([p], lr=0.01)
    for _ in range(steps):
        opt.step([p * 3])
    return p


def test_many_optimizers_in_parallel() -> None:
    wanted = run(10)
    found: list[Any] = [None] * 6

    def work(i: int) -> None:
        with fs.num_threads(1 + i % 3):
            found[i] = run(10)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for p in found:
        assert_same_bits(p, wanted)


PLACES = """
import ctypes, os
from pathlib import Path
import numpy as np, ferrostep as fs

allowed, here = os.sched_getaffinity(0), ctypes.CDLL(None).sched_getcpu
p, g = np.zeros(400_001, np.float32), np.ones(400_001, np.float32)
opt = fs.SGD([p])
fs.set_num_threads(3)
places = []
for _ in range(500):
    before = here()
    opt.step([g])
    tasks = Path("/proc/self/task").iterdir()
    workers = [int(t.name) for t in tasks if (t / "comm").read_text().startswith("ferrostep-")]
    if here() == before:  # and in between too, very likely
        places += [os.sched_getaffinity(task) == allowed - {before} for task in workers]
print(len(workers), len(places) > 500, sum(places) > 0.9 * len(places))
os.sched_setaffinity(0, {before})
opt.step([g])
print(bool((p == p[0]).all()))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="there is one processor, or the system's choice is left alone",
)
def test_workers_keep_off_the_callers_processor() -> None:
    assert output(PLACES) == ["2 True True", "True"]


def test_steps_of_one_optimizer_serialise() -> None:
    p, g = np.zeros(BIG, np.float32), np.ones(BIG, np.float32)
    opt = fs.SGD([p], lr=0.5, momentum=0.5)
    threads = [threading.Thread(target=lambda: [opt.step([g]) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opt.state[0]["step"] == 20
    q = np.zeros(1, np.float32)
    alone = fs.SGD([q], lr=0.5, momentum=0.5)
    for _ in range(20):
        alone.step([np.ones(1, np.float32)])
    assert_same_bits(p, np.full(BIG, q[0]))


def in_child(queue: Any, opt: fs.Optimizer, p: Any) -> None:
    opt.step([p * 3])
    queue.put(p)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_in_the_middle_of_training() -> None:
    p = np.linspace(-1, 1, BIG, dtype=np.float32)
    opt = fs.Adam([p], lr=0.01)
    with fs.num_threads(3):
        for _ in range(2):
            opt.step([p * 3])
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=in_child, args=(queue, opt, p), daemon=True)
        child.start()
        found = queue.get(timeout=60)
        child.join(timeout=60)
        assert child.exitcode == 0
        opt.step([p * 3])
    assert_same_bits(found, p)
    assert_same_bits(p, run(3))


@pytest.mark.parametrize("how", ["", "import sys; sys.exit(3)", "raise KeyboardInterrupt"])
def test_the_interpreter_ends_with_a_live_pool(how: str) -> None:
    code = f"""
import numpy as np, ferrostep as fs, threading
p = np.ones({BIG}, np.float32); opt = fs.Adam([p])
with fs.num_threads(3):
    opt.step([p * 1])
    threading.Thread(target=lambda: [opt.step([p * 1]) for _ in range(50)], daemon=True).start()
{how}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    wanted = {"": 0, "import sys; sys.exit(3)": 3}.get(how, -2)
    assert done.returncode == wanted, done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("FERROSTEP_SIMD", "mmx"), ("FERROSTEP_NUM_THREADS", "many")]
)
def test_a_bad_environment_variable_is_an_error_at_import(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import ferrostep"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert name in done.stderr
    assert value in done.stderr


def test_environment_variables_are_obeyed() -> None:
    code = (
        "import ferrostep as fs, ferrostep._native as n; print(fs.get_num_threads(), n.simd_tier())"
    )
    tier = fs._native.simd_tiers()[0]
    env = {**os.environ, "FERROSTEP_SIMD": tier, "FERROSTEP_NUM_THREADS": "5"}
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == ["5", tier]


@pytest.mark.skipif(os.name != "posix", reason="other systems' variables are UTF-16")
@pytest.mark.parametrize("name", ["FERROSTEP_SIMD", "FERROSTEP_NUM_THREADS"])
def test_an_environment_variable_that_is_no_text_is_an_error_at_import(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import ferrostep"],
        env={**os.environb, name.encode(): b"\xff1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"ValueError: {name} must be UTF-8" in done.stderr


@pytest.mark.parametrize(
    ("openmp", "own", "wanted"),
    [
        (b"1", None, 1),
        (b"1,7", None, 1),
        (b" 1 , 7", None, 1),
        (b"100000", None, None),
        (b"", None, None),
        (b"0", None, None),
        (b"-1", None, None),
        (b"many", None, None),
        (b"1,many", None, None),
        (b"\xff", None, None),
        (b"1", b"3", 3),
        (b"1", b"", 1),
    ],
)
def test_openmps_number_bounds_the_default(
    openmp: bytes, own: bytes | None, wanted: int | None
) -> None:
    """Only a default: None is what it is without the variable."""
    if os.name != "posix":
        pytest.skip("other systems' variables are UTF-16")
    env = {**os.environb, b"OMP_NUM_THREADS": openmp}
    env.pop(b"FERROSTEP_NUM_THREADS", None)
    if own is not None:
        env[b"FERROSTEP_NUM_THREADS"] = own
    program = [sys.executable, "-c", "import ferrostep as fs; print(fs.get_num_threads())"]
    out = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60)
    env.pop(b"OMP_NUM_THREADS")
    plain = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == [str(wanted or int(plain.stdout))]


def test_numbers_of_threads() -> None:
    before = fs.get_num_threads()
    with fs.num_threads(7):
        assert fs.get_num_threads() == 7
        with fs.num_threads(2):
            assert fs.get_num_threads() == 2
        assert fs.get_num_threads() == 7
    assert fs.get_num_threads() == before
    for bad in (0, -1, True, 1.5, "2"):
        with pytest.raises((ValueError, TypeError)):
            fs.set_num_threads(bad)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="limits its own address space")
def test_memory_exhausted_while_state_is_made() -> None:
    program = """
import resource
import numpy as np, ferrostep as fs
params = [np.ones(25_000_000, np.float32) for _ in range(2)]
grads = [p * 2 for p in params]
opt = fs.Adam(params)
fs.set_num_threads(1)
with open("/proc/self/statm") as f:
    used = int(f.read().split()[0]) * resource.getpagesize()
limit = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 250_000_000, limit[1]))  # two states of four fit
try:
    opt.step(grads)
except MemoryError:
    print("MemoryError", len(opt.state), all((p == 1).all() for p in params))
resource.setrlimit(resource.RLIMIT_AS, limit)
opt.step(grads)
print(opt.state[1]["step"], sorted(opt.state[0]))
"""
    assert output(program) == [
        "MemoryError 0 True",
        "1 ['exp_avg', 'exp_avg_sq', 'step']",
    ]
