"""Averages in the place of weights: all or none, and every bit comes back."""

from __future__ import annotations

import copy
import signal
from contextlib import nullcontext

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.averages import EMA, Mean
from support.arrays import assert_same_bits
from support.averages import made
from support.programs import output


class Boom(Exception):
    pass


@pytest.mark.parametrize("error", [None, Boom, KeyboardInterrupt, SystemExit])
def test_applied_gives_back_every_bit(error: type[BaseException] | None) -> None:
    p = np.array([1.0, -0.0, np.nan, 1e-310])
    mean = Mean([p])
    mean.update()
    mean.averages[0][...] = 7
    before = p.copy()

    def block() -> None:
        with mean.applied():
            assert (p == 7).all()
            p[0] = 3.0  # which is lost
            if error is not None:
                raise error

    if error is None:
        block()
    else:
        with pytest.raises(error):
            block()
    assert p.tobytes() == before.tobytes()
    assert (mean.averages[0] == 7).all()


INTERRUPTED = """
import random, signal, time
import numpy as np, ferrostep as fs
from support.programs import Interrupts

interrupts = Interrupts(signal.SIGALRM)
arrays = [np.ones(n, d) for n, d in ((3, "f4"), (100_001, "f2"), (70_000, "f8"), (9, "f4"))]
mean = fs.averages.Mean(arrays)
mean.update()
for average in mean.averages.values():
    average[...] = 2
inside = set()

def look():
    with mean.applied():
        inside.add(tuple(float(x) for p in arrays for x in (p[0], p[-1])))

look()
begun = time.perf_counter()
look()
longest = 2 * (time.perf_counter() - begun)  # whatever else this machine does
for _ in range(600):
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, longest))
    interrupts.during(look)
    assert not mean._shown.active
    assert all((p == 1).all() for p in arrays)
print(inside == {(2.0,) * 8})
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_an_interrupt_leaves_all_or_nothing_applied() -> None:
    assert output(INTERRUPTED) == ["True"]


def test_what_is_applied_is_the_average_of_that_moment() -> None:
    p = np.ones(2)
    ema = EMA(p, 0.5)
    context = ema.applied()
    ema.update()
    p += 2
    ema.update()
    with context:
        assert (p == 2).all()
    p += 2
    with context:
        assert (p == 2).all()
    assert (p == 5).all()


@pytest.mark.parametrize("how", ["replaced", "shape", "applied"])
def test_what_changed_is_told_and_nothing_else_changes(how: str) -> None:
    params, ema = made()
    before = ema.state_dict()
    message = {"replaced": "'w' was replaced", "shape": r"'w' has shape \(6,\), wanted \(2, 3\)"}
    if how == "replaced":
        params["w"] = params["w"] * 2
    elif how == "shape":
        params["w"].shape = (6,)
    with ema.applied() if how == "applied" else nullcontext():
        with pytest.raises(ValueError, match=message.get(how, "an update would average aver")):
            ema.update()
        if how == "applied":
            with pytest.raises(ValueError, match="cannot be copied or pickled"):
                copy.deepcopy(ema)
    if how != "applied":
        with pytest.raises(ValueError, match=message[how]), ema.applied():
            pass
    assert ema.updates == before["updates"]
    for key, array in before["averages"].items():
        assert_same_bits(ema.averages[key], array)
    if how == "replaced":
        ema.rebind(params)
        ema.update()
        assert ema.updates == 3


def test_a_parameter_that_became_read_only_is_not_applied_to() -> None:
    params, ema = made()
    params["b"].flags.writeable = False
    w = params["w"].copy()
    with pytest.raises(ValueError, match="parameter 'b' is read-only"), ema.applied():
        pass
    assert_same_bits(params["w"], w)
    ema.update()  # which only reads


def test_a_parameter_that_was_replaced_within_is_told_of() -> None:
    params = {"w": np.zeros((2, 2))}
    opt, ema = fs.SGD(params, lr=1.0), EMA(params, 0.5)
    old = params["w"]
    ema.update()
    old += 4
    ema.update()
    with pytest.raises(ValueError, match="replaced"), ema.applied():
        opt.replace("w", np.concatenate([params["w"], np.zeros((1, 2))]))
    assert (old == 4).all()
