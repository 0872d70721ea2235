"""The parts of a run on a device: each a process of its own with a time of its own.

A fault of the device spoils every later call of its process; so it spoils one part alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from environment import HERE, ROOT
from results import Results

#: Seconds for all, and for a part to tell what it knows once its time is over.
TOTAL, LAST_WORDS = 285, 4
PYTEST = ("-m", "pytest", "-q", "--tb=short", "--maxfail=20", "-p", "no:cacheprovider")


class Part(NamedTuple):
    seconds: int
    arguments: tuple[str, ...]


def _tests(*paths: Path) -> tuple[str, ...]:
    return (*PYTEST, "-p", "recorder", *map(str, paths))


TESTS = HERE.parent
#: These have parts of their own, or no use for a device.
APART = {TESTS / "test_cupy_faults.py", TESTS / "test_cupy_standin.py"}
CASES = sorted({*TESTS.glob("test_cupy*.py")} - APART)
#: Kernels are compiled one by one in a process: several processes, where they can be had.
PARALLEL = ("-p", "xdist", "-n", str(min(8, os.cpu_count() or 1))) if find_spec("xdist") else ()

PARTS = {
    "device": Part(30, (str(HERE / "probe.py"),)),
    "cases": Part(150, (*_tests(*CASES), *PARALLEL)),
    "faults": Part(45, _tests(TESTS / "test_cupy_faults.py")),
    "torch": Part(45, _tests(TESTS / "with_torch" / "test_on_device.py")),
    "benchmark": Part(90, (str(HERE / "benchmark.py"),)),
}


def run(names: Sequence[str], environment: dict[str, str], results: Results) -> None:
    """Run these parts, one after the other, and note how each ended."""
    end = time.monotonic() + TOTAL
    for name in names:
        print(f"\n== {name}", flush=True)
        begin = time.monotonic()
        outcome = _run(name, environment, min(PARTS[name].seconds, end - begin))
        seconds = round(time.monotonic() - begin, 1)
        results.put("parts", name, {"outcome": outcome, "seconds": seconds})
        print(f"== {name}: {outcome} after {seconds} s", flush=True)


def _run(name: str, environment: dict[str, str], seconds: float) -> str:
    if seconds < 1:
        return "no time was left"
    process = subprocess.Popen(
        [sys.executable, *PARTS[name].arguments],
        cwd=ROOT,
        env={**environment, "FERROSTEP_GPU_PART": name},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(max(1, seconds - LAST_WORDS))
        return "ok" if code == 0 else f"failed with exit code {code}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            return f"hung, and was killed after {seconds:.0f} s"
        return f"not through after {seconds:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(LAST_WORDS)
