"""On a CUDA device: steps beside the device's own copy, torch and plain CuPy expressions.

``tests/gpu/run`` runs it. All in float32; a step's time is that of many in a row, as a training
loop makes them.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NamedTuple

import cupy
import numpy as np
from numpy.typing import NDArray

import ferrostep as fs


class NotOfferedError(Exception):
    """A peer that has no such step."""


Arrays = Sequence[NDArray[np.float32]]
Step = Callable[[], object]

#: Rounds, and the seconds that each takes.
ROUNDS, TURN = 7, 0.05


class Problem(NamedTuple):
    """A step of so many tensors of a shape."""

    optimizer: str
    tensors: int
    shape: tuple[int, ...]
    #: Read and written for an element; None where products of matrices take the time.
    bytes: int | None
    max_norm: float | None = None

    @property
    def name(self) -> str:
        clipped = "" if self.max_norm is None else " clipped by norm"
        sizes = " x ".join(f"{n:,}" for n in (self.tensors, *self.shape))
        return f"{self.optimizer}{clipped} {sizes}"

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reached(self, seconds: float, copy: float | None) -> str:
        """Return how near a step comes to what there is to be had."""
        if self.bytes is None:
            rows, columns = sorted(self.shape)
            products = 5 * 2 * rows * (2 * rows * columns + rows * rows)
            return f"{self.tensors * products / seconds / 1e12:.1f} TFLOP/s of whole products"
        share = self.bytes * self.tensors * self.size / seconds / (copy or math.nan)
        return f"{share:.2f} of the copy's speed"


ADAM, RMSPROP = 28, 20  # Adam: p, g, m, v in and p, m, v out
LARGE, MATRIX = (100_000_000,), (2048, 4096)
PROBLEMS = [
    Problem("Adam", 1, LARGE, ADAM),
    Problem("Adam", 1_000, (100_000,), ADAM),
    Problem("RMSprop", 1, LARGE, RMSPROP),
    Problem("Adam", 1, LARGE, ADAM + 4, max_norm=1.0),  # the gradient is read twice
    Problem("LAMB", 1, LARGE, ADAM + 16),  # all that is read is read twice
    Problem("NovoGrad", 1, LARGE, 20 + 4),
    Problem("Prodigy", 1, LARGE, 44 + 16),
    Problem("Adafactor", 1, (10_000, 10_000), 4 * (1 + 2 + 3)),
    Problem("Muon", 4, MATRIX, None),
]
#: The same without a device.
TINY = [p._replace(tensors=min(p.tensors, 10), shape=(10,) * len(p.shape)) for p in PROBLEMS]
#: Elements of the array that is copied.
COPIED = 200_000_000


def ferrostep(problem: Problem, start: Arrays, grads: Arrays) -> Step:
    opt = getattr(fs, problem.optimizer)([cupy.asarray(p) for p in start])
    theirs, scaling = [cupy.asarray(g) for g in grads], {}
    if problem.max_norm is not None:
        scaling["max_norm"] = problem.max_norm
    return lambda: opt.step(theirs, **scaling)


def ferrostep_in_torch(problem: Problem, start: Arrays, grads: Arrays) -> Step:
    """Return the step of our class in the place of torch's."""
    from ferrostep.compat import torch as compat

    return _in_torch(getattr(compat, problem.optimizer), problem, start, grads, {})


def torch_optim(problem: Problem, start: Arrays, grads: Arrays) -> Step:
    """Return torch's fastest step; its Muon multiplies in bfloat16."""
    import torch

    fastest = {"Adam": {"fused": True}, "RMSprop": {"foreach": True}, "Adafactor": {}, "Muon": {}}
    if problem.optimizer not in fastest:
        raise NotOfferedError(f"torch has no {problem.optimizer}")
    how = fastest[problem.optimizer]
    return _in_torch(getattr(torch.optim, problem.optimizer), problem, start, grads, how)


def _in_torch(
    cls: Any, problem: Problem, start: Arrays, grads: Arrays, options: Mapping[str, bool]
) -> Step:
    import torch

    where = "cuda" if cupy.is_available() else "cpu"
    torch.set_num_threads(1)  # without a device; on a busy machine its threads wait for each other
    tensors = [torch.tensor(p, device=where, requires_grad=True) for p in start]
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.tensor(g, device=where)
    opt = cls(tensors, **options)
    if problem.max_norm is None:
        return opt.step  # type: ignore[no-any-return]

    def clipped() -> None:
        torch.nn.utils.clip_grad_norm_(tensors, problem.max_norm, foreach=True)
        opt.step()

    return clipped


def by_hand(problem: Problem, start: Arrays, grads: Arrays) -> Step:
    """Return the step as people write it with CuPy."""
    if problem.optimizer not in ("Adam", "RMSprop", "Muon"):
        raise NotOfferedError(f"nobody wrote {problem.optimizer}")
    params, theirs = [cupy.asarray(p) for p in start], [cupy.asarray(g) for g in grads]
    m, v = ([cupy.zeros_like(p) for p in params] for _ in "mv")
    t = 0

    def adam(i: int, p: Any, g: Any) -> None:
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g * g
        p -= 1e-3 * (m[i] / (1 - 0.9**t)) / (cupy.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)

    def rmsprop(i: int, p: Any, g: Any) -> None:
        v[i] = 0.99 * v[i] + 0.01 * g * g
        p -= 1e-2 * g / (cupy.sqrt(v[i]) + 1e-8)

    def muon(i: int, p: Any, g: Any) -> None:
        m[i] = 0.95 * m[i] + 0.05 * g
        x = 0.05 * g + 0.95 * m[i]
        x = x / cupy.linalg.norm(x)
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
        p *= 1 - 1e-4
        p -= 1e-3 * x

    update = {"Adam": adam, "RMSprop": rmsprop, "Muon": muon}[problem.optimizer]

    def step() -> None:
        nonlocal t
        t += 1
        used = theirs
        if problem.max_norm is not None:
            norm = cupy.sqrt(sum(cupy.sum(g * g) for g in used))
            factor = cupy.minimum(problem.max_norm / (norm + 1e-6), 1)
            used = [g * factor for g in used]
        for i, (p, g) in enumerate(zip(params, used, strict=True)):
            update(i, p, g)

    return step


Peers = Mapping[str, Callable[[Problem, Arrays, Arrays], Step]]
#: Ours is first: the others are told as multiples of it.
ON_HOST: Peers = {"ferrostep": ferrostep, "torch": torch_optim}
PEERS: Peers = {**ON_HOST, "ferrostep in torch": ferrostep_in_torch, "CuPy by hand": by_hand}


@dataclass
class Line:
    """What was found of one peer."""

    name: str
    text: str
    #: For a step on the device, and until the call returns.
    seconds: float | None = None
    host_seconds: float | None = None
    bytes_per_second: float | None = None
    error: str | None = None

    def entry(self) -> dict[str, Any]:
        return asdict(self)


def _synchronize() -> None:
    if cupy.is_available():
        cupy.cuda.runtime.deviceSynchronize()


def _time(step: Step, steps: int) -> tuple[float, float]:
    """Return the seconds of a step: all of it, and until the call returned."""
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    returned = time.perf_counter()
    _synchronize()
    return (time.perf_counter() - begin) / steps, (returned - begin) / steps


def _median(step: Step) -> tuple[float, float]:
    _time(step, 3)  # compiles, and allocates
    once, _ = _time(step, 1)
    steps = max(1, min(100, round(TURN / once)))
    whole, host = zip(*(_time(step, steps) for _ in range(ROUNDS)), strict=True)
    return median(whole), median(host)


def _free() -> None:
    """Give all memory of the device back to it."""
    gc.collect()
    if not cupy.is_available():
        return
    cupy.get_default_memory_pool().free_all_blocks()
    if "torch" in sys.modules:
        sys.modules["torch"].cuda.empty_cache()


def _copy(elements: int) -> Line:
    name = f"copy of {elements * 4 / 1e9:g} GB"
    try:
        a, b = (cupy.empty(elements, np.float32) for _ in "ab")
        seconds, host = _median(lambda: cupy.copyto(b, a))
    except Exception as error:
        return _failed(name, error)
    rate = 2 * 4 * elements / seconds
    return Line(name, f"{rate / 1e9:,.0f} GB/s read and written", seconds, host, rate)


def _failed(name: str, error: Exception) -> Line:
    if isinstance(error, ModuleNotFoundError | NotOfferedError):
        return Line(name, f"absent: {error}")
    message = f"{type(error).__name__}: {error}"
    return Line(name, f"FAILED: {message.splitlines()[0][:300]}", error=message)


def _arrays(problem: Problem, seed: int) -> Arrays:
    block = np.random.default_rng(seed).standard_normal(1_000_003, np.float32)
    return list(np.resize(block, (problem.tensors, *problem.shape)))


def measure(problems: Sequence[Problem], peers: Peers) -> Iterator[Line]:
    """Measure one after the other; what fails is a line that says so."""
    copied = min(COPIED, 2 * max(p.tensors * p.size for p in problems))
    copy = _copy(copied)
    yield copy
    for problem in problems:
        start, grads = _arrays(problem, 0), _arrays(problem, 1)
        ours = None
        for peer, make in peers.items():
            _free()
            name = f"{problem.name}, {peer}"
            try:
                seconds, host = _median(make(problem, start, grads))
            except Exception as error:
                yield _failed(name, error)
                continue
            ours = ours or (seconds if peer == "ferrostep" else None)
            text = f"{seconds * 1e3:.3f} ms ({host * 1e3:.3f} until the call returns)"
            if peer == "ferrostep":
                text += f", {problem.reached(seconds, copy.bytes_per_second)}"
            elif ours:
                text += f", {seconds / ours:.2f}x ferrostep's time"
            yield Line(name, text, seconds, host)
    _free()
