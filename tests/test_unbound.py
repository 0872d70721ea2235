"""Unbound optimizers: one key keeps one memory, a first update is whole, and state waits."""

from __future__ import annotations

import array
import copy
import ctypes
import gc
import mmap
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits
from support.interrupts import interrupted_at

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
        assert all(way in str(caught.value) for way in ("reset()", "rebind(params)", "names"))
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


def test_a_run_after_another_begins_anew_or_is_refused() -> None:
    def train(opt: fs.Optimizer) -> float:
        w = np.zeros(1)
        for _ in range(2):
            opt.update({"w": w}, {"w": np.ones(1)})
        return float(w[0])

    shared = fs.Momentum(lr=0.1)
    first = train(shared)
    with pytest.raises(ValueError, match=r"parameter 'w' .* reset\(\) for a new run"):
        train(shared)
    shared.reset()
    assert train(shared) == first


def test_reset_forgets_shapes_and_names() -> None:
    opt = fs.Adam()
    opt.update({"w": np.zeros(3)}, {"w": np.ones(3)})
    opt.reset()
    assert not opt.state
    opt.update([np.zeros((2, 2)), np.zeros(1)], [np.ones((2, 2)), np.ones(1)])
    assert list(opt.state) == [0, 1]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_loads_bind_anew(how: Any) -> None:
    w, v = np.zeros(3), np.zeros(3)
    opt = fs.Momentum(lr=1.0, momentum=0.5)
    opt.update({"w": w}, {"w": np.ones(3)})
    twin = how(opt)
    assert twin.state["w"]["step"] == 1
    assert not np.shares_memory(twin.state["w"]["velocity"], opt.state["w"]["velocity"])
    twin.update({"w": v}, {"w": np.zeros(3)})
    assert (v == -0.5).all()
    with pytest.raises(ValueError, match="other memory"):
        twin.update({"w": w}, {"w": np.zeros(3)})
    opt.load_state_dict(opt.state_dict())
    opt.update({"w": v}, {"w": np.zeros(3)})
    assert (v == -1).all()


def test_rebind_goes_on_with_other_memory() -> None:
    with pytest.raises(ValueError, match="no parameters yet: give them to update"):
        fs.Momentum().rebind([np.zeros(3)])
    w, v = np.zeros(3), np.ones(3)
    opt = fs.Momentum(lr=1.0, momentum=0.5)
    opt.update({"w": w}, {"w": np.ones(3)})
    for bad, found in (
        ({"w": np.zeros(4)}, r"parameter 'w' has shape \(4,\)"),
        ({"w": np.zeros(3, np.float32)}, "dtype float32, wanted .* dtype float64"),
        ({"v": v}, "missing .'w'., unexpected .'v'."),
        ([v], "must be a dict with the names"),
        ({"w": opt.state["w"]["velocity"]}, "overlap|same array"),
    ):
        with pytest.raises(ValueError, match=found):
            opt.rebind(bad)
    opt.update({"w": w}, {"w": np.zeros(3)})
    opt.rebind({"w": v})
    opt.update({"w": v}, {"w": np.zeros(3)})
    assert (v == 1 - 0.25).all()


@pytest.mark.parametrize("saved", ["state_dict", "pickle", "checkpoint"])
def test_one_that_has_not_begun_is_loaded_as_what_it_is(saved: str, tmp_path: Path) -> None:
    source = fs.Adam(lr=0.5)
    if saved == "pickle":
        opt = pickle.loads(pickle.dumps(source))
    else:
        opt = fs.Adam()
        opt.update([np.zeros(2)], [np.ones(2)])
        if saved == "state_dict":
            opt.load_state_dict(source.state_dict())
        else:
            fs.save_checkpoint(tmp_path / "f", optimizer=source)
            fs.load_checkpoint(tmp_path / "f", optimizer=opt)
    assert opt.lr == 0.5
    assert not opt.state
    p = np.zeros(3)
    opt.update({"p": p}, {"p": np.ones(3)})
    np.testing.assert_allclose(p, -0.5)


def test_gradients_may_come_as_parameters_may() -> None:
    d, e = {"w": np.zeros(2)}, {"w": np.ones(2)}
    opt = fs.SGD(d.values(), lr=1.0)
    opt.step(e.values())
    opt.step(g for g in e.values())
    assert (d["w"] == -2).all()
    with pytest.raises(TypeError, match="found set"):
        opt.step({1.0})


def test_loaded_state_is_seen_before_its_parameters_come() -> None:
    source = fs.Adam({"w": np.zeros(2)}, lr=0.25)
    source.step({"w": np.ones(2)})
    opt = fs.Adam()
    opt.load_state_dict(source.state_dict())
    assert opt.lr == 0.25
    assert opt.state["w"]["step"] == 1
    assert_same_bits(opt.state["w"]["exp_avg"], source.state["w"]["exp_avg"])
    again = opt.state_dict()
    assert again["param_groups"][0]["param_names"] == ["w"]
    assert again["param_groups"][0]["lr"] == 0.25


COUNTING = [fs.Adam, fs.AdamW, lambda p=None: fs.Adagrad(p, lr_decay=0.1)]


@pytest.mark.parametrize("make", COUNTING)
@pytest.mark.parametrize("bound", [True, False])
def test_state_without_its_count_is_refused_where_the_rule_counts(make: Any, bound: bool) -> None:
    source = make([np.zeros(2)])
    source.step([np.ones(2)])
    saved = source.state_dict()
    del saved["state"][0]["step"]
    with pytest.raises(ValueError, match="parameter 0 has no 'step'"):
        make([np.zeros(2)] if bound else None).load_state_dict(saved)


def test_state_without_a_count_is_fine_where_the_rule_does_not_count() -> None:
    for make in (lambda p: fs.SGD(p, momentum=0.5), fs.Adagrad, fs.RMSprop,
                 lambda p: fs.Adam(p, bias_correction=False)):  # fmt: skip
        opt = make([np.zeros(2)])
        opt.step([np.ones(2)])
        saved = opt.state_dict()
        del saved["state"][0]["step"]
        opt.load_state_dict(saved)
        assert opt.state[0]["step"] == 0


LOADED = [False, True]


@pytest.mark.parametrize("loaded", LOADED)
def test_an_interrupt_in_a_first_update_leaves_all_or_nothing(loaded: bool) -> None:
    """At every event that Python code brings about, and after the last of them."""
    source = fs.Momentum([np.zeros(2)], lr=1.0, momentum=0.5)
    source.step([np.ones(2)])
    before = 1 if loaded else 0
    outcomes = set()

    def begin() -> tuple[fs.Optimizer, Any]:
        opt = fs.Momentum(lr=1.0, momentum=0.5)
        if loaded:
            opt.load_state_dict(source.state_dict())
        return opt, np.zeros(2)

    n = 1
    while True:
        opt, p = begin()
        whole = not interrupted_at(n, lambda: opt.update((q for q in [p]), Many([np.ones(2)])))  # noqa: B023
        count = opt.state[0]["step"] if 0 in opt.state else 0
        stepped = count > before
        assert (p == (-1 - 0.5 * before if stepped else 0)).all(), n
        outcomes.add(stepped)
        if not stepped:  # what was refused can begin
            opt.update([p], [np.ones(2)])
            assert opt.state[0]["step"] == before + 1
        if whole:
            break
        n += 1
    assert n > 10
    assert outcomes == {True, False}


def test_two_threads_in_a_first_update() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            p, g, opt = np.zeros(4), np.ones(4), fs.SGD(lr=1.0)
            barrier, failed = threading.Barrier(2, timeout=30), []

            def work() -> None:
                try:
                    barrier.wait()  # noqa: B023
                    for _ in range(3):
                        opt.update([p], [g])  # noqa: B023
                except Exception as error:
                    failed.append(error)  # noqa: B023

            threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert not failed
            assert opt.state[0]["step"] == 6
            assert (p == -6).all()
    finally:
        sys.setswitchinterval(interval)
