"""Unbound optimizers: one key keeps one memory, a first update is whole, and state waits."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits
from support.interrupts import interrupted_at


class Many(list[Any]):
    """Gradients that are read in Python."""


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


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_of_one_whose_group_has_no_params(how: Any) -> None:
    """No step reads them where they come with each call, so no copy does."""
    for edit in (lambda group: group.pop("params"), lambda group: group.update(params=None)):
        w, v = np.zeros(3), np.zeros(3)
        opt = fs.Momentum(lr=1.0, momentum=0.5)
        opt.update({"w": w}, {"w": np.ones(3)})
        edit(opt.param_groups[0])
        twin = how(opt)
        assert twin.param_groups == opt.param_groups
        assert twin.param_groups[0] is not opt.param_groups[0]
        twin.update({"w": v}, {"w": np.zeros(3)})
        assert (v == -0.5).all()


def test_rebind_goes_on_with_other_memory() -> None:
    with pytest.raises(ValueError, match="no parameters yet; give them to update"):
        fs.Momentum().rebind([np.zeros(3)])
    w, v = np.zeros(3), np.ones(3)
    opt = fs.Momentum(lr=1.0, momentum=0.5)
    opt.update({"w": w}, {"w": np.ones(3)})
    for bad, found in (
        ({"w": np.zeros(4)}, r"parameter 'w' has shape \(4,\)"),
        ({"w": np.zeros(3, np.float32)}, "dtype float32, wanted .* dtype float64"),
        ({"v": v}, "missing .'w'., unknown .'v'."),
        ([v], "must be a dict with the names .*, found a list"),
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
    with pytest.raises(ValueError, match="parameter 0 lacks 'step'"):
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


def test_a_step_that_was_not_saved_is_shown_as_it_will_be() -> None:
    opt = fs.SGD(momentum=0.9)
    group = {"lr": 0.1, "momentum": 0.9, "params": [0]}  # as torch's SGD has it
    saved = {"state": {0: {"momentum_buffer": np.ones(2)}}, "param_groups": [group]}
    opt.load_state_dict(saved)
    assert opt.state[0]["step"] == 0
    opt.update([np.zeros(2)], [np.ones(2)])
    assert opt.state[0]["step"] == 1


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("edit", [("lr", "x"), ("state_dtype", "int8"), ("nope", 1)])
def test_what_could_not_be_loaded_is_not_saved(edit: tuple[str, Any], loaded: bool) -> None:
    opt = fs.Adam(lr=0.1)
    if loaded:
        begun = fs.Adam([np.ones(2)])
        begun.step([np.ones(2)])
        opt.load_state_dict(begun.state_dict())
    opt.param_groups[0][edit[0]] = edit[1]
    for save in (opt.state_dict, lambda: pickle.dumps(opt)):
        with pytest.raises(ValueError, match=edit[0].replace("lr", "learning rate")):
            save()


def test_a_nan_that_no_gradient_brought_is_refused_before_parameters_come() -> None:
    begun = fs.NovoGrad({"w": np.ones(2)})
    begun.step({"w": np.ones(2)})
    saved = begun.state_dict()
    saved["state"][0]["exp_avg_sq"] = np.nan
    opt = fs.NovoGrad()
    with pytest.raises(ValueError, match="'exp_avg_sq' of parameter 0 must be a number, found nan"):
        opt.load_state_dict(saved)
    opt.update({"v": np.ones(3)}, {"v": np.ones(3)})
