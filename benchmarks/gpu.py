"""On a CUDA device: Adam beside the device's own copy, CuPy's expressions and torch.

``python -m benchmarks.gpu``; needs a device, CuPy, and torch for its column.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import cupy
import numpy as np
from rich.console import Console
from rich.table import Table

import ferrostep as fs

#: Tensors and elements of each.
CASES = [(1, 100_000_000), (1000, 100_000)]
#: float32 read and written by a step of Adam: p, g, m, v in and p, m, v out.
BYTES = 28
ROUNDS = 20
#: The share of the device's copy bandwidth, and the ratio to torch, to reach.
GOAL_SHARE, GOAL_TORCH = 0.9, 1.0


def milliseconds(run: Callable[[], object]) -> float:
    """Return the median time of a run on the device."""
    times = []
    for _ in range(3 + ROUNDS):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(float(cupy.cuda.get_elapsed_time(start, end)))
    return median(times[3:])


def bandwidth() -> float:
    """Return the bytes that a copy on the device moves in a millisecond."""
    a = cupy.ones(200_000_000, np.float32)
    b = cupy.empty_like(a)
    return float(2 * a.nbytes / milliseconds(lambda: cupy.copyto(b, a)))


def arrays(count: int, size: int) -> tuple[list[Any], list[Any]]:
    rng = cupy.random.default_rng(0)
    return tuple([rng.standard_normal(size, np.float32) for _ in range(count)] for _ in "pg")  # type: ignore[return-value]


def by_hand(params: list[Any], grads: list[Any]) -> Callable[[], object]:
    """Return Adam as people write it with CuPy."""
    m, v = ([cupy.zeros_like(p) for p in params] for _ in "mv")
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            p -= 1e-3 * (m[i] / (1 - 0.9**t)) / (cupy.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)

    return step


def torch_fused(params: list[Any], grads: list[Any]) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    tensors = [torch.as_tensor(p, device="cuda").clone().requires_grad_() for p in params]
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.as_tensor(g, device="cuda").clone()
    return torch.optim.Adam(tensors, fused=True).step  # type: ignore[no-any-return]


def main() -> None:
    copy = bandwidth()
    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    table = Table(title=f"Adam float32 on {name}: ms a step; a copy moves {copy / 1e6:.0f} GB/s")
    for heading in ("tensors", "ferrostep", "share of the copy", "torch fused", "CuPy by hand"):
        table.add_column(heading, justify="right")
    for count, size in CASES:
        params, grads = arrays(count, size)
        opt = fs.Adam([p.copy() for p in params])
        ours = milliseconds(lambda opt=opt, grads=grads: opt.step(grads))  # type: ignore[misc]
        share = BYTES * count * size / ours / copy
        peer = torch_fused(params, grads)
        torch_time = milliseconds(peer) if peer else None
        hand = milliseconds(by_hand(params, grads))
        table.add_row(
            f"{count:,} x {size:,}",
            f"{ours:.3f}",
            f"{share:.2f} (wanted {GOAL_SHARE})",
            f"{torch_time:.3f} ({torch_time / ours:.2f}x, wanted {GOAL_TORCH})"
            if torch_time
            else "absent",
            f"{hand:.3f} ({hand / ours:.1f}x)",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
