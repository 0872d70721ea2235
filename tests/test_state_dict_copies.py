"""Copies and snapshots of optimizers, and state that arrives read-only."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits, assert_same_state
from support.training import params, steps


class Tagged(fs.Momentum):
    """A class with attributes of its own."""

    limit = 3


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_are_on_their_own(how: Any, bound: bool) -> None:
    p = params()
    opt = Tagged(p if bound else None)
    opt.tag, opt.limit = "mine", 4
    opt.step = opt.step  # a wrapper of this optimizer's method is no business of a copy's
    twin = how(opt)
    assert (twin.tag, twin.limit) == ("mine", 4)
    assert "step" not in vars(twin)
    twin.defaults["lr"] = 5.0
    assert opt.defaults["lr"] == 0.01
    if bound:
        twin.rebind(params())
        twin.step(steps(1)[0])
        opt.step(steps(1)[0])


def test_a_snapshot_is_of_its_moment() -> None:
    """Kept as "best so far", it takes the run back to where it was."""
    best_p, p = np.zeros(1), np.zeros(1)
    wanted, opt = fs.Adam([best_p]), fs.Adam([p])
    for o in (wanted, opt):
        o.step([np.ones(1)])
    best, saved_p = opt.state_dict(), p.copy()
    for _ in range(999):
        opt.step([np.full(1, -3.0)])
    opt.load_state_dict(best)
    p[...] = saved_p
    for o in (wanted, opt):
        o.step([np.ones(1)])
    assert_same_bits(p, best_p)
    assert_same_state(opt, wanted)


def frozen_arrays(opt: fs.Optimizer) -> fs.Optimizer:
    """Out of a pickle whose buffers are immutable, as joblib's memmaps are."""
    buffers: list[Any] = []
    text = pickle.dumps(opt, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(text, buffers=[bytes(buffer.raw()) for buffer in buffers])


@pytest.mark.parametrize("backend", [None, "reference"])
def test_arrays_that_arrive_read_only_can_be_read(backend: str | None) -> None:
    opt = fs.Momentum(params(), backend=backend)
    opt.step(steps(1)[0])
    cold = frozen_arrays(opt)
    assert_same_state(cold, opt)
    assert not cold.param_groups[0]["params"][0].flags.writeable
    assert_same_bits(cold.state_dict()["state"][0]["velocity"], opt.state[0]["velocity"])
    assert copy.copy(cold).state[0]["step"] == copy.deepcopy(cold).state[0]["step"] == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="parameter 0 is read-only"):
            cold.step(steps(1)[0])
    assert cold.state[0]["step"] == 1
    # With memory of their own they go on.
    cold.rebind([p.copy() for p in cold.param_groups[0]["params"]])
    with pytest.raises(ValueError, match='state "velocity" of parameter 0 is read-only'):
        cold.step(steps(1)[0])
    cold.load_state_dict(cold.state_dict())
    for o in (cold, opt):
        o.step(steps(2)[1])
    assert_same_state(cold, opt)


def test_read_only_state_can_be_loaded() -> None:
    opt = fs.Momentum(params())
    opt.step(steps(1)[0])
    saved = opt.state_dict()
    for entry in saved["state"].values():
        entry["velocity"].setflags(write=False)
    opt.load_state_dict(saved)
    opt.step(steps(1)[0])
    assert opt.state[0]["step"] == 2


def test_a_shallow_copy_shares_parameters_and_has_its_own_options_and_state() -> None:
    p = np.ones(5, np.float32)
    opt = fs.Momentum([p])
    opt.step([p * 1])
    before = opt.state[0]["velocity"].copy()
    twin = copy.copy(opt)
    assert twin.param_groups[0]["params"][0] is p
    assert not np.shares_memory(twin.state[0]["velocity"], opt.state[0]["velocity"])
    twin.param_groups[0]["lr"] = 0.5
    assert opt.param_groups[0]["lr"] == 0.01
    twin.step([p * 1])
    assert (opt.state[0]["step"], twin.state[0]["step"]) == (1, 2)
    assert_same_bits(opt.state[0]["velocity"], before)
