"""Steps of CuPy arrays that are interrupted, fail, or meet on two streams: whole or not at all."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

import ferrostep as fs
from ferrostep.backends import cuda
from support.arrays import assert_same_bits
from support.device import HARDWARE, new_stream, synchronize, to_device, to_host
from support.on_device import on_device, on_host
from support.programs import Run, counts, digest, gradients, made, output

#: How a step can be taken, and the same for the uninterrupted run on the host.
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "clipped": ({}, {"max_norm": 0.5}),
    "checked": ({"nonfinite": "skip"}, {}),
}


class Interrupt(BaseException):
    """Raised where Ctrl-C could be."""


def interrupted(step: Callable[[], object], moment: int) -> bool:
    """Whether the step was left at this event of the package's Python code; False at its end."""
    left = moment

    def watch(frame: Any, event: str, arg: object) -> None:
        nonlocal left
        if frame.f_globals.get("__name__", "").startswith("ferrostep"):
            left -= 1
            if left < 0:
                sys.setprofile(None)
                raise Interrupt

    sys.setprofile(watch)
    try:
        step()
    except Interrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.parametrize("how", OPTIONS)
def test_an_interrupt_at_every_moment(how: str) -> None:
    """All of Python that a step runs comes before its launch, so each of these steps is undone."""
    options, scaling = OPTIONS[how]
    # Small ones: the device does the same as for large ones.
    start = [p[..., :50].copy() for p in made()._parameters()]
    host_grads = [g[..., :50].copy() for g in gradients()]
    grads = [to_device(g) for g in host_grads]
    first = [p.copy() for p in start]
    wanted = fs.Adam(start, **options)
    for steps_before in (0, 1):
        moment = 0
        while True:
            opt = fs.Adam([to_device(p) for p in first], **options)
            for _ in range(steps_before):
                opt.step(grads, **scaling)
            before = digest(on_host(opt))
            if not interrupted(lambda opt=opt: opt.step(grads, **scaling), moment):
                break
            assert digest(on_host(opt)) == before, f"torn at event {moment}"
            opt.step(grads, **scaling)
            assert counts(opt) == [steps_before + 1] * 3
            moment += 1
        assert moment > 0, "the step runs no Python"
        wanted.step(host_grads, **scaling)
        assert digest(on_host(opt)) == digest(wanted)


STEPPING = """
import random, signal
from support.on_device import OutsideTheStandIn, on_device, on_host
from support.device import to_device
from support.programs import Interrupts, Run, counts, digest, gradients

interrupts = OutsideTheStandIn(signal.SIGALRM)
run, grads = Run(), [to_device(g) for g in gradients()]
on_device().step(grads)  # compiles
firsts = 0
for i in range({rounds}):
    if i % 3 == 0:
        opt = on_device()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 0.001 if i % 3 == 0 else 0.02))
    interrupts.during(lambda: opt.step(grads))
    steps = counts(opt)
    assert len(set(steps)) == 1, steps
    assert digest(on_host(opt)) == run.at(steps[0]), steps
    firsts += steps[0] == 0
print(firsts > 0)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_interrupts_by_a_timer() -> None:
    assert output(STEPPING.format(rounds=60)) == ["True"]


class TestErrors:
    """A step that fails has changed nothing, and the next one works."""

    def check(self, opt: fs.Optimizer, break_it: Callable[[], object], error: Any) -> None:
        grads = [to_device(g) for g in gradients()]
        for step in range(2):
            with pytest.raises(error):
                break_it()
            if step == 0:
                assert not opt.state
            assert digest(on_host(opt)) == Run().at(step)
            opt.step(grads)
            assert digest(on_host(opt)) == Run().at(step + 1)

    def test_a_gradient_of_another_shape(self) -> None:
        opt, bad = on_device(), [to_device(g) for g in gradients()]
        bad[2] = to_device(np.ones((7, 12), np.float32))
        self.check(opt, lambda: opt.step(bad), ValueError)

    @pytest.mark.parametrize("scaling", [{}, {"max_norm": 1.0}])
    @pytest.mark.parametrize("call", ["upload", "arguments", "stream"])
    def test_a_call_of_cupy_fails(
        self, call: str, scaling: dict[str, float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opt = on_device()

        def fail(*_: object) -> None:
            raise RuntimeError("no more")

        def step() -> None:
            with monkeypatch.context() as broken:
                broken.setattr(cuda, call, fail)
                opt.step([to_device(g) for g in gradients()], **scaling)

        self.check(opt, step, RuntimeError)

    def test_no_memory_for_the_state(self) -> None:
        opt, grads = on_device(), [to_device(g) for g in gradients()]
        with memory_for_one_state(), pytest.raises(MemoryError):
            opt.step(grads)
        assert not opt.state
        opt.step(grads)
        assert digest(on_host(opt)) == Run().at(1)


@contextmanager
def memory_for_one_state() -> Iterator[None]:
    """Limit CuPy's pool; the stand-in has none, and fails at the second array."""
    if HARDWARE:
        gc.collect()
        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        pool.set_limit(size=pool.total_bytes() + gradients()[0].nbytes * 3 // 2)
        try:
            yield
        finally:
            pool.set_limit(size=0)
        return
    real, made_so_far = cuda.empty_like, []

    def empty_like(array: Any, dtype: str) -> Any:
        if made_so_far:
            raise MemoryError
        made_so_far.append(real(array, dtype))
        return made_so_far[0]

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(cuda, "empty_like", empty_like)
        yield


class TestStreams:
    def test_two_optimizers_in_turns(self) -> None:
        """Each runs on a stream of its own, none of which waits for the other."""
        streams = [new_stream(), new_stream()]
        classes = [fs.Adam, fs.RMSprop]
        opts, grads = [], []
        for stream, cls in zip(streams, classes, strict=True):
            with stream:
                opts.append(cls([to_device(p) for p in made()._parameters()]))
                grads.append([to_device(g) for g in gradients()])
        for _ in range(20):
            for stream, opt, g in zip(streams, opts, grads, strict=True):
                with stream:
                    opt.step(g, max_norm=0.5)
        for stream, opt, cls in zip(streams, opts, classes, strict=True):
            stream.synchronize()
            wanted = made(cls)
            for _ in range(20):
                wanted.step(gradients(), max_norm=0.5)
            for p, q in zip(opt._parameters(), wanted._parameters(), strict=True):
                assert_same_bits(to_host(p), q)

    def test_one_optimizer_moves_between_streams(self) -> None:
        opt, grads = on_device(), [to_device(g) for g in gradients()]
        synchronize()
        for step in range(7):
            with new_stream() if step % 2 else nullcontext():
                info = opt.step(grads, max_norm=np.inf)
            synchronize()  # the order is the caller's business
        assert info.grad_norm == made().step(gradients(), max_norm=np.inf).grad_norm
        assert digest(on_host(opt)) == Run().at(7)

    def test_a_norm_is_read_later_and_elsewhere(self) -> None:
        opt, grads = on_device(), [to_device(g) for g in gradients()]
        synchronize()
        with new_stream():
            infos = [opt.step(grads, max_norm=1.0) for _ in range(3)]
        wanted = made().step(gradients(), max_norm=1.0).grad_norm
        assert [info.grad_norm for info in infos] == [wanted] * 3
        synchronize()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-3, 0.0, 1.0])
def test_state_begins_with_the_hosts_bits(value: float, dtype: str) -> None:
    options = {"initial_accumulator_value": value, "lr": 0.0}
    if dtype == "float16":
        options["state_dtype"], dtype = "float16", "float32"
    start = np.ones(5, dtype)
    opts = [fs.Adagrad([to(start)], **options) for to in (to_device, np.array)]
    for opt, to in zip(opts, (to_device, np.array), strict=True):
        opt.step([to(np.zeros(5, dtype))])
    there, here = (opt.state[0]["sum"] for opt in opts)
    assert_same_bits(to_host(there), here)


@pytest.mark.skipif(not HARDWARE, reason="needs a device's memory")
def test_more_elements_than_an_int_counts() -> None:
    n = 2**31 + 5
    if cupy.cuda.runtime.memGetInfo()[0] < 5 * n:
        pytest.skip("needs 11 GB")
    p, g = cupy.zeros(n, np.float16), cupy.zeros(n, np.float16)
    places = [slice(0, 3), slice(2**31 - 3, 2**31 + 3), slice(n - 2, n)]
    for place in places:
        g[place].set(np.ones(g[place].shape, np.float16))
    info = fs.SGD([p], lr=0.5).step([g], max_norm=np.inf)
    assert info.grad_norm == np.sqrt(11.0)
    for place in places:
        assert (to_host(p[place]) == -0.5).all()
    assert (to_host(p[1000:2000]) == 0).all()
    del p, g
    cupy.get_default_memory_pool().free_all_blocks()
