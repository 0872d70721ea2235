"""State on disk: arrays that the operating system moves between a file and memory."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Smaller arrays stay in memory: a mapping costs whole pages, and a file descriptor.
SMALL = 64 * 1024


@dataclass(frozen=True)
class MemmapState:
    """A ``state_factory`` that keeps state in files under `folder` instead of in memory.

    For state that is larger than memory. The files have no names, so that nothing is left of them
    when the state is no longer used, also after a kill: to keep a run, save a checkpoint. Their
    space is reserved when the state is made, at a parameter's first step or on loading: a full disk
    is an OSError there, with the optimizer as before, and not a crash later. State of less than
    64 KiB stays in memory.

    Parameters
    ----------
    folder
        An existing folder, on the disk that is to hold the state.

    Notes
    -----
    A state factory is called as ``factory(key, name, like, dtype)`` for each array: `key` is the
    parameter's position or name, `name` such as "exp_avg", `like` the parameter, or the part of it
    that has the shape of this state (`Adafactor`'s). It returns a new array of the shape of `like`
    and just this dtype, in the same place (host or device); what is in it does not matter, and its
    strides should be in the order of those of `like`. It is checked like a parameter; if one is
    refused or an exception is raised, none is kept. A forked process cannot step with such state,
    which may lie in memory shared with its parent, before `load_state_dict` or `reset`. Copies of
    the optimizer (`copy.deepcopy`, `pickle`) ask the factory for arrays of their own.

    Space cannot be reserved on file systems that write elsewhere than they have read (btrfs, ZFS).
    Before Python 3.13 each array keeps a file descriptor open.

    Examples
    --------
    >>> import tempfile, numpy as np, ferrostep as fs
    >>> p = np.ones(100_000, np.float32)
    >>> opt = fs.Adam([p], state_factory=fs.MemmapState(tempfile.gettempdir()))
    >>> opt.step([np.ones_like(p)])
    StepInfo(applied=True, grad_norm=None)

    Any function will do, here one that keeps state in files of its own:

    >>> def in_files(key, name, like, dtype):
    ...     return np.memmap(f"{folder}/{key}-{name}", dtype, "w+", shape=like.shape)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     opt = fs.Momentum({"w": p}, state_factory=in_files)
    ...     opt.step({"w": np.ones_like(p)})
    ...     os.listdir(folder)
    StepInfo(applied=True, grad_norm=None)
    ['w-velocity']
    """

    folder: str | os.PathLike[str]

    def __call__(
        self, key: int | str, name: str, like: NDArray[Any], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        if not isinstance(like, np.ndarray):
            raise TypeError(
                "the parameter of a MemmapState must be a NumPy array, found a CuPy array; "
                "leave out state_factory for what lies on a device"
            )
        size = like.size * dtype.itemsize
        if size < SMALL:
            return np.empty_like(like, dtype=dtype, subok=False)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            try:
                _reserve(file.fileno(), size)
                mapped = _map(file.fileno(), size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, os.fspath(self.folder)) from None
        # The axes in memory in the order of the parameter's, so that steps run in place.
        order = sorted(range(like.ndim), key=lambda axis: -abs(like.strides[axis]))
        array = np.ndarray([like.shape[axis] for axis in order], dtype, mapped)
        return array.transpose(np.argsort(order))


def _reserve(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    with open(descriptor, "wb", closefd=False) as file:
        for start in range(0, size, 2**20):
            file.write(bytes(min(2**20, size - start)))


def _map(descriptor: int, size: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size, trackfd=False)
    return mmap.mmap(descriptor, size)
