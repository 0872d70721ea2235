"""Programs that the tests of faults run in processes of their own, and what they have in common."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import ferrostep as fs
from support.arrays import arrays_in, numbers_in

#: Several threads and no GIL in the large one, the opposite in the small ones.
SHAPES = [(300_007,), (3,), (7, 11)]


def made(cls: type[fs.Optimizer] = fs.Adam, **options: object) -> fs.Optimizer:
    """An optimizer whose run is fixed: `gradients` and this start."""
    params = [np.linspace(-1, 1, int(np.prod(s)), dtype=np.float32).reshape(s) for s in SHAPES]
    return cls(params, **options)


def gradients() -> list[np.ndarray]:
    return [np.linspace(-2, 3, int(np.prod(s)), dtype=np.float32).reshape(s) for s in SHAPES]


def counts(opt: fs.Optimizer) -> list[int]:
    """The step count of each parameter."""
    return [opt.state[i]["step"] if i in opt.state else 0 for i in range(len(SHAPES))]


def digest(opt: fs.Optimizer) -> str:
    """Of all parameters, step counts and states."""
    found = hashlib.sha256()
    for p in opt._parameters():
        found.update(np.ascontiguousarray(p))
    for key, entry in opt.state.items():
        found.update(repr((key, sorted(numbers_in(entry).items()))).encode())
        for _, array in sorted(arrays_in(entry).items()):
            found.update(np.ascontiguousarray(array))
    return found.hexdigest()


class Run:
    """The uninterrupted run, to compare with at any step count."""

    def __init__(self, cls: type[fs.Optimizer] = fs.Adam, **options: object) -> None:
        self._make, self.grads = (lambda: made(cls, **options)), gradients()
        self.opt, self._step = self._make(), 0
        self._known: dict[int, str] = {}

    def at(self, step: int) -> str:
        if step not in self._known:
            if step < self._step:
                self.opt, self._step = self._make(), 0
            for _ in range(step - self._step):
                self.opt.step(self.grads)
            self._step = step
            self._known[step] = digest(self.opt)
        return self._known[step]


class Interrupts:
    """KeyboardInterrupt out of a signal's handler: once for a signal, and only in `during`.

    Works whatever the parent of this process ignored or blocked.
    """

    def __init__(self, number: int) -> None:
        self._wanted = self._came = False
        signal.signal(number, self.ring)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])

    def ring(self, number: int, frame: Any) -> None:
        self._came = True
        if self._wanted:
            self._wanted = False
            raise KeyboardInterrupt

    def during(self, work: Callable[[], object]) -> None:
        """Repeat this until a signal comes; one that came before counts.

        What swallows the exception, as NumPy does in places, cannot make it go on for ever.
        """
        try:
            self._wanted = True
            while not self._came:
                work()
        except KeyboardInterrupt:
            pass
        self._wanted = self._came = False


def start(code: str, *arguments: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a program that may import what the tests may, by way of the command `within`."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n{code}"
    return subprocess.Popen(
        [*within, sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def limited(program: subprocess.Popen[Any], seconds: float) -> Iterator[subprocess.Popen[Any]]:
    """Let a program live for this time at most, and no longer than the block."""
    timer = threading.Timer(seconds, program.kill)
    timer.start()
    try:
        with program:
            try:
                yield program
            except BaseException:
                program.kill()
                raise
    finally:
        timer.cancel()


def output(
    code: str, *arguments: str, timeout: float = 120, within: Sequence[str] = ()
) -> list[str]:
    """What the program prints; it must end well."""
    with limited(start(code, *arguments, within=within), timeout) as program:
        out, err = program.communicate()
    assert program.returncode == 0, f"exit code {program.returncode}: {err}"
    return out.splitlines()


def own_mounts() -> bool:
    """Whether an ordinary user may have a file system of its own here."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    test = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run(test, capture_output=True, timeout=60).returncode == 0


def on_small_disk(folder: Path, size: str) -> list[str]:
    """The command within which `folder` is a file system of this size."""
    mount = f'mount -t tmpfs -o size={size} none {folder} && exec "$@"'
    return ["unshare", "-rm", "sh", "-c", mount, "sh"]


def in_child(work: Callable[[], str]) -> str:
    """What `work` returns in a forked process."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
            signal.alarm(60)  # it must not outlive a fault of its own
            os.close(out)
            os.write(into, work().encode())
        except BaseException as error:
            os.write(into, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as found:
        text = found.read()
    assert os.waitpid(child, 0)[1] == 0
    return text
