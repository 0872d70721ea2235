"""State before the first step: what that would begin with, and a step count of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import RUN_IDS, RUNS, Case
from ferrostep import _native
from support.arrays import arrays_in, assert_same_bits, assert_same_state, numbers_in
from support.initial import initial
from support.on_device import to_device, to_host

SHAPES = [(5, 7), (), (3,)]


def run(opt: fs.Optimizer, params: list[Any], steps: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(steps):
        opt.step([rng.standard_normal(p.shape).astype(p.dtype) for p in params])


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_the_first_steps_go_on_from_it(case: Case, dtype: Any, backend: Any) -> None:
    """As from a state dict in which it is written out."""
    rng = np.random.default_rng(0)
    params = [np.asarray(rng.standard_normal(n)).astype(dtype) for n in SHAPES]
    copies = [p.copy() for p in params]
    opt, twin = case.make(params, backend=backend), case.make(copies)
    opt.init_state(step=7)
    for entry in opt.state.values():
        remembered = dict(_native.rule_memory(case.optimizer.RULE, opt.defaults))
        assert numbers_in(entry) == {"step": 7, **remembered}
        for name, array in arrays_in(entry).items():
            # As a value: a momentum begins with -0, to which the first gradient is added.
            begins = np.full_like(array, initial(case, name))
            assert ((array == begins) | ((array != array) & (begins != begins))).all(), name
    saved = twin.state_dict()
    saved["state"] = {i: {**entry, "step": 7} for i, entry in opt.state_dict()["state"].items()}
    twin.load_state_dict(saved)
    run(opt, params, 3)
    run(twin, copies, 3)
    for mine, theirs in zip(params, copies, strict=True):
        assert_same_bits(mine, theirs)
    assert_same_state(opt, twin)


def test_of_an_unbound_optimizer() -> None:
    p = {"w": np.ones(2)}
    for use in ("update", "updated", "update_one"):
        opt = fs.Adam(lr=0.1)
        opt.init_state(p, step=3)
        assert opt.state["w"]["step"] == 3
        if use == "update_one":
            opt.update_one("w", p["w"], np.ones(2))
        else:
            getattr(opt, use)(p, {"w": np.ones(2)})
        assert opt.state["w"]["step"] == 4
        with pytest.raises(ValueError, match="cannot follow"):
            getattr(opt, "update" if use == "updated" else "updated")(p, {"w": np.ones(2)})
    functional = fs.Momentum(lr=1.0)
    functional.init_state(2.0)
    assert functional.updated(2.0, 1.0) == 1.0


def test_only_what_has_none_gets_it() -> None:
    p, q = np.ones(2), np.ones(3)
    opt = fs.Adam([p])
    opt.step([np.ones(2)])
    opt.add_param_group({"params": [q]})
    before = opt.state[0]["exp_avg"].copy()
    opt.init_state(step=5)
    assert [entry["step"] for entry in opt.state.values()] == [1, 5]
    assert_same_bits(opt.state[0]["exp_avg"], before)
    with pytest.raises(ValueError, match=r"every parameter has state already; call reset\(\)"):
        opt.init_state()


def test_a_rule_without_state_has_a_count() -> None:
    opt = fs.SGD([np.ones(2)], lr=0.1)
    opt.init_state(step=4)
    assert opt.state[0]["step"] == 4


def test_on_a_device() -> None:
    p = to_device(np.ones(3))
    opt = fs.Adam([p], lr=0.1)
    opt.init_state(step=2)
    opt.step([to_device(np.ones(3))])
    host = np.ones(3)
    twin = fs.Adam([host], lr=0.1)
    twin.init_state(step=2)
    twin.step([np.ones(3)])
    assert_same_bits(to_host(p), host)
    assert opt.state[0]["step"] == 3


@pytest.mark.parametrize("step", [-1, 1.5, "3", 2**63, None])
def test_bad_steps(step: Any) -> None:
    opt = fs.Adam([np.ones(2)])
    with pytest.raises(ValueError, match="step must be a whole number from 0 to"):
        opt.init_state(step=step)
    assert not opt.state


def test_what_it_is_of() -> None:
    with pytest.raises(ValueError, match=r"params must be given, .* init_state\(params\)"):
        fs.Adam().init_state()
    p = np.ones(2)
    with pytest.raises(ValueError, match="params must be left out"):
        fs.Adam([p]).init_state([p])
    with pytest.raises(TypeError, match="found param groups"):
        fs.Adam().init_state([{"params": [p]}])
    opt = fs.Adam(state_factory=lambda key, name, like, dtype: p)
    with pytest.raises(ValueError, match=r"state|overlap|shape"):
        opt.init_state([p])
    assert not opt.state


def test_state_that_was_loaded_stays() -> None:
    source = fs.Adam({"w": np.ones(2)})
    source.step({"w": np.ones(2)})
    opt = fs.Adam()
    opt.load_state_dict(source.state_dict())
    with pytest.raises(ValueError, match="every parameter has state already"):
        opt.init_state({"w": np.ones(2)})
    assert opt.state["w"]["step"] == 1


def test_keys_of_parameters_that_come_one_by_one() -> None:
    w, b = np.ones(2), np.ones(3)
    opt = fs.Momentum(lr=1.0)
    opt.init_state({("k", 1): w, 3: b}, step=2)
    assert list(opt.state) == [("k", 1), 3]
    velocity = opt.state["k", 1]["velocity"]
    opt.update_one(("k", 1), w, np.ones(2))
    assert (velocity == -1).all()
    assert [entry["step"] for entry in opt.state.values()] == [3, 2]
    with pytest.raises(ValueError, match="before the first step of an unbound optimizer"):
        opt.init_state({"z": w})
    with pytest.raises(ValueError, match="'3' twice"):
        fs.Adam().init_state({3: w, "3": b})


def test_positions_are_no_keys() -> None:
    w = np.ones(2)
    opt = fs.Adam()
    opt.init_state([w])
    with pytest.raises(ValueError, match="come one by one have names, found some by position"):
        opt.update_one("w", w, np.ones(2))
    opt.update([w], [np.ones(2)])
    assert opt.state[0]["step"] == 1
