"""The time of an Adam step beside NumPy by hand and the floor: ``python benchmarks/step.py``.

Medians of interleaved runs, answers compared first. The floor (``benchmarks/floor.rs``) moves the
same streams with almost no arithmetic through the same plan and threads.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs
from ferrostep._native import power

F32 = NDArray[np.float32]


def by_hand(params: list[F32]) -> Callable[[list[F32]], None]:
    """Adam as people write it, its bias corrections folded into scalars."""
    m = [np.zeros_like(p) for p in params]
    v = [np.zeros_like(p) for p in params]
    t = 0

    def step(grads: list[F32]) -> None:
        nonlocal t
        t += 1
        size, scale = 1e-3 / (1 - power(0.9, t)), 1 / (1 - power(0.999, t)) ** 0.5
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m[i] = 0.9 * m[i] + (1 - 0.9) * g
            v[i] = 0.999 * v[i] + (1 - 0.999) * (g * g)
            p -= (size * m[i]) / (np.sqrt(v[i]) * scale + 1e-8)

    return step


def floor(n: int, threads: int) -> float:
    command = ["cargo", "run", "--release", "--quiet", "--example", "floor", "--"]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [*command, str(n), str(threads)], cwd=root, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure(tensors: int, n: int) -> None:
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(n, np.float32) for _ in range(tensors)]
    grads = [rng.standard_normal(n, np.float32) for _ in range(tensors)]
    ours, theirs = [p.copy() for p in start], [p.copy() for p in start]
    opt, hand = fs.Adam(ours), by_hand(theirs)
    steps: list[Callable[[list[F32]], object]] = [opt.step, hand]
    for _ in range(3):
        for step in steps:
            step(grads)
    assert all((p == q).all() for p, q in zip(ours, theirs, strict=True)), "answers differ"
    inner = max(1, 20_000 // (tensors * n))
    times: list[list[float]] = [[], []]
    for _ in range(7 if n * tensors > 1_000_000 else 101):
        for step, found in zip(steps, times, strict=True):
            begin = time.perf_counter()
            for _ in range(inner):
                step(grads)
            found.append((time.perf_counter() - begin) / inner * 1e6)
    us, numpy = (statistics.median(found) for found in times)
    low = floor(n * tensors, fs.get_num_threads())
    print(
        f"{tensors:3} x {n:>10,}: ferrostep {us:.2f} us, NumPy {numpy:.2f} us "
        f"({numpy / us:.1f}x), floor {low:.2f} us ({low / us:.2f} of it reached)"
    )


if __name__ == "__main__":
    print(f"Adam, float32, {fs.get_num_threads()} threads, {os.cpu_count()} CPUs,")
    print(f"NumPy {np.__version__}, Python {platform.python_version()}, ferrostep {fs.__version__}")
    for tensors, n in [(10, 100), (1, 100), (1, 100_000), (1, 40_000_000)]:
        measure(tensors, n)
