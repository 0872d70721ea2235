"""The memory that an unbound optimizer knows its parameters by, whoever owns it."""

from __future__ import annotations

import array
import ctypes
import gc
import mmap
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

ONES = np.ones(4)

#: What owns memory: each entry gives a function that makes the same array anew at each call.
Again = Callable[[], Any]


class Sub(np.ndarray):
    """A parameter's class of somebody's own."""


class Many(list[Any]):
    """Gradients that are read in Python."""


class Interface:
    """Something that has the array interface."""

    def __init__(self) -> None:
        self.memory = np.zeros(4)
        self.__array_interface__ = self.memory.__array_interface__


def _plain(_: Path) -> Iterator[Again]:
    a = np.zeros(4)
    yield lambda: a


def _views(_: Path) -> Iterator[Again]:
    flat = np.zeros(9)
    yield lambda: flat[1:9].reshape(2, 4)[1]


def _memmap(folder: Path) -> Iterator[Again]:
    a = np.memmap(folder / "a", np.float64, "w+", shape=(8,))
    yield lambda: a[4:]


def _bytearray(_: Path) -> Iterator[Again]:
    owner = bytearray(32)  # takes no weak reference
    yield lambda: np.frombuffer(owner)


def _memoryview(_: Path) -> Iterator[Again]:
    owner = bytearray(64)
    yield lambda: np.frombuffer(memoryview(owner)[32:])


def _array(_: Path) -> Iterator[Again]:
    owner = array.array("d", [0.0] * 4)
    yield lambda: np.frombuffer(owner)


def _ctypes(_: Path) -> Iterator[Again]:
    owner = (ctypes.c_double * 4)()
    yield lambda: np.ctypeslib.as_array(owner)


def _shared(_: Path) -> Iterator[Again]:
    owner = shared_memory.SharedMemory(create=True, size=64)
    # NumPy holds the block's one memoryview, so an array must not outlive it.
    yield lambda: np.ndarray(4, np.float64, owner.buf)
    gc.collect()
    owner.close()
    owner.unlink()


def _mmap(_: Path) -> Iterator[Again]:
    owner = mmap.mmap(-1, 64)
    yield lambda: np.frombuffer(owner, np.float64, 4)


def _dlpack(_: Path) -> Iterator[Again]:
    owner = np.from_dlpack(np.zeros(8))  # of a capsule
    yield lambda: owner[:4]


def _subclass(_: Path) -> Iterator[Again]:
    owner = np.zeros(8).view(Sub)
    yield lambda: owner[::2]


def _interface(_: Path) -> Iterator[Again]:
    owner = Interface()
    yield lambda: np.asarray(owner)


def _single(_: Path) -> Iterator[Again]:
    owner = np.zeros(4)
    yield lambda: owner[2, ...]


OWNERS = [
    *(_plain, _views, _memmap, _bytearray, _memoryview, _array, _ctypes, _shared, _mmap),
    *(_dlpack, _subclass, _interface, _single),
]


@pytest.mark.parametrize("owner", OWNERS)
def test_the_same_memory_made_anew_goes_on(owner: Any, tmp_path: Path) -> None:
    for again in owner(tmp_path):
        opt = fs.Momentum(lr=1.0, momentum=0.5)
        for _ in range(3):
            opt.update([again()], [np.ones(again().shape)])
            gc.collect()  # decides nothing
        assert (again() == -(1 + 1.5 + 1.75)).all()
        assert opt.state[0]["step"] == 3
        del opt


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("owner", OWNERS)
def test_other_memory_is_refused(owner: Any, kept: bool, tmp_path: Path) -> None:
    """Whether or not the old memory lives on."""
    for again in owner(tmp_path):
        opt, first = fs.Momentum(lr=1.0), again()
        opt.update([first], [np.ones(first.shape)])
        holder = [again, first] if kept else []
        other = np.zeros(first.shape)
        shape = first.shape
        del first
        if not kept and owner is _plain:
            again = None  # nobody holds the array any more
            gc.collect()
        with pytest.raises(ValueError, match="lies in other memory than at its first update"):
            opt.update([other], [np.ones(shape)])
        assert (other == 0).all()
        assert opt.state[0]["step"] == 1
        del holder, opt


def test_another_part_of_the_same_buffer() -> None:
    flat = np.zeros(8)
    opt = fs.Momentum(lr=1.0)
    opt.update(flat[:4], ONES)
    for other in (flat[4:], flat[1:5], flat[3::-1]):
        with pytest.raises(ValueError, match="is another part of its buffer") as caught:
            opt.update(other, ONES)
        assert all(way in str(caught.value) for way in ("reset()", "rebind(params)", "name or key"))
    for other, found in ((flat[:3], r"shape \(3,\)"), (flat.view(np.float32)[:4], "float32")):
        with pytest.raises(ValueError, match=f"has .*{found}.*, wanted shape .4,. and dtype"):
            opt.update(other, np.ones(other.shape, other.dtype))
    opt.update(flat[:4], ONES)
    np.testing.assert_allclose(flat, [-2.9] * 4 + [0] * 4)


def test_a_torch_tensor_s_array_made_anew() -> None:
    class Tensor:
        """As torch's: each call of numpy() gives an array of a new owner."""

        __module__ = "torch"

        def __init__(self, memory: Any) -> None:
            self.__array_interface__ = memory.__array_interface__

    memory = np.zeros(4)
    opt = fs.Momentum(lr=1.0)
    opt.update(np.asarray(Tensor(memory)), ONES)
    with pytest.raises(ValueError, match=r"keep the array of one call of numpy\(\)"):
        opt.update(np.asarray(Tensor(memory)), ONES)
