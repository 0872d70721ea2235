"""The peak extra memory of a step, as the kernel counts it (to some 64 KiB), in its own process:
``python -m benchmarks.memory '{"optimizer": ...}'`` prints bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ferrostep as fs
from benchmarks.cases import MemoryCase
from benchmarks.problem import Problem, Setting
from benchmarks.results import CaseFound, Found

ROOT = Path(__file__).parent.parent
#: Memory that glibc keeps after it is freed would hide what a step takes of it again.
NOTHING_KEPT = {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "16384"}


def allowed(problem: Problem) -> int:
    """Return the goal: 1 MiB, plus 8 bytes per 4,096 elements where a norm is taken."""
    return 2**20 + (0 if problem.max_norm is None else problem.values // 4096 * 8)


def run(case: MemoryCase, wanted: int, threads: int) -> CaseFound:
    problem = case.problem
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(asdict(problem))]
    environment = {**os.environ, **NOTHING_KEPT}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    what = f"{problem.optimizer} {problem.dtype}"
    if done.returncode == 0:
        peak, error = float(done.stdout), None
    else:
        peak, error = None, (done.stderr.strip() or "it failed").splitlines()[-1]
    found = [
        Found("ferrostep", what, problem.values, threads, "bytes", peak, peak, peak, 1, error),
        Found("allowed", what, problem.values, threads, "bytes", float(allowed(problem))),
    ]
    return CaseFound(case.name, case.group, wanted, problem.values, found)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


def _peak_of(step: object) -> int:
    """Return how far resident memory rises above what it was while `step()` runs."""
    assert callable(step)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is forgotten
    before = _status("VmRSS")
    step()
    return max(0, _status("VmHWM") - before)


def peak(problem: Problem) -> int:
    """Return the worst of the first step, less the state that it makes, and two later ones."""
    clip: dict[str, Any] = {} if problem.max_norm is None else {"max_norm": problem.max_norm}
    # Threads, interpreter and allocator have what they need before anything is counted.
    warm = Setting(Problem(problem.optimizer, 1, 1_000_000, problem.options, problem.dtype))
    warm.optimizer.step(warm.grads, **clip)
    setting = Setting(problem)
    optimizer = setting.optimizer
    first = _peak_of(lambda: optimizer.step(setting.grads, **clip))
    later = [_peak_of(lambda: optimizer.step(setting.grads, **clip)) for _ in range(2)]
    return max(first - _state_bytes(optimizer), *later)


def _state_bytes(optimizer: fs.Optimizer) -> int:
    arrays = (state[name] for state in optimizer.state.values() for name in state)
    return sum(array.nbytes for array in arrays if hasattr(array, "nbytes"))


if __name__ == "__main__":
    print(peak(Problem(**json.loads(sys.argv[1]))))
