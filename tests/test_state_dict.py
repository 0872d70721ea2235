"""State in and out: resume is the uninterrupted run, to the bit; loading is all or nothing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from support.arrays import assert_same_bits, assert_same_state
from support.training import params, steps


@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_resume_is_the_uninterrupted_run(case: Case, how: str) -> None:
    grads = steps(6)
    whole, first = params(), params()
    uninterrupted, opt = case.make(whole), case.make(first)
    for g in grads:
        uninterrupted.step(g)
    for g in grads[:3]:
        opt.step(g)
    if how == "state_dict":
        second = [p.copy() for p in first]
        saved = copy.deepcopy(opt.state_dict())
        opt = case.make(second)
        opt.load_state_dict(saved)
    else:
        opt = pickle.loads(pickle.dumps(opt)) if how == "pickle" else copy.deepcopy(opt)
        second = opt.param_groups[0]["params"]
    for g in grads[3:]:
        opt.step(g)
    for p, q in zip(second, whole, strict=True):
        assert_same_bits(p, q)
    assert_same_state(opt, uninterrupted)


def test_layout_is_torchs() -> None:
    opt = fs.Adam([{"params": {"W": np.ones(2)}}, {"params": {"b": np.ones(1)}, "lr": 0.5}])
    opt.step({"W": np.ones(2), "b": None})
    saved = opt.state_dict()
    assert set(saved["state"]) == {0}  # a skipped parameter has no state
    assert saved["state"][0]["step"] == 1
    assert saved["param_groups"][1]["params"] == [1]
    assert saved["param_groups"][1]["param_names"] == ["b"]
    assert saved["param_groups"][1]["lr"] == 0.5
    live = opt.state["W"]["exp_avg"]
    assert not np.shares_memory(saved["state"][0]["exp_avg"], live)
    assert opt.state_dict(copy=False)["state"][0]["exp_avg"] is live


def test_what_torch_writes() -> None:
    opt = fs.SGD([np.ones(2), np.ones(1)], momentum=0.9)
    group = {"lr": 0.5, "momentum": 0.8, "foreach": None, "fused": None, "initial_lr": 1.0}
    saved = {
        "state": {0: {"momentum_buffer": np.full(2, 3.0)}, 1: {"momentum_buffer": None}},
        "param_groups": [{**group, "params": [0, 1]}],
    }
    opt.load_state_dict(saved)
    assert opt.param_groups[0]["lr"] == 0.5
    assert opt.param_groups[0]["initial_lr"] == 1.0
    assert "foreach" not in opt.param_groups[0]
    np.testing.assert_array_equal(opt.state[0]["momentum_buffer"], 3)
    assert 1 not in opt.state
    adam = fs.Adam([np.ones(2)])
    adam.load_state_dict(
        {
            "state": {0: {"step": np.float32(7), "exp_avg": np.ones(2), "exp_avg_sq": np.ones(2)}},
            "param_groups": [{"params": [0]}],
        }
    )
    assert adam.state[0]["step"] == 7


def good() -> dict[str, Any]:
    opt = fs.Adam(params())
    opt.step(steps(1)[0])
    return copy.deepcopy(opt.state_dict())


def damage(path: list[Any], value: Any) -> dict[str, Any]:
    saved = good()
    place = saved
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return saved


BAD = [
    ({}, "'state' and 'param_groups'"),
    (damage(["param_groups"], []), "0 groups, wanted 1"),
    (damage(["param_groups", 0, "params"], [0]), "1 parameters, wanted 2"),
    (damage(["param_groups", 0, "lr"], -1.0), "Invalid learning rate"),
    (damage(["param_groups", 0, "params"], [0, 0]), r"the parameters \[0, 0\], wanted each once"),
    (damage(["param_groups", 0, "initial_lr"], float("nan")), "Invalid initial_lr"),
    (
        damage(["param_groups", 0, "state_dtype"], "float64"),
        "beside parameter 0 of dtype float32 must be float16, bfloat16",
    ),
    (damage(["param_groups", 0, "surprise"], 1), "unknown options \\['surprise'\\], wanted"),
    (damage(["param_groups", 0, "decoupled_weight_decay"], True), "decoupled_weight_decay"),
    (damage(["state", 1, "exp_avg"], np.ones(6)), r"shape \(6,\)"),
    (damage(["state", 1, "exp_avg"], np.ones(5, int)), "int64"),
    (damage(["state", 1, "exp_avg"], np.full(5, 0.1)), "can hold, found float64 ones"),
    (damage(["state", 1, "exp_avg_sq"], None), "lacks \\['exp_avg_sq'\\]"),
    (damage(["state", 1, "velocity"], np.ones(5)), "unknown arrays"),
    (damage(["state", 1, "step"], -1), "whole number"),
    (damage(["state", 1, "step"], 1.5), "whole number"),
    (damage(["state", 1, "step"], float("inf")), "whole number"),
    (damage(["state", 1, "step"], 2.0**70), "whole number"),
    (damage(["state", 1], 3), "must be a dict, found int"),
    (damage(["state", 7], {}), "unknown parameters"),
    (damage(["state"], {7: {}, "b": {}}), "unknown parameters"),
    (damage(["param_groups", 0, "params"], [[0], 1]), "whole numbers"),
    (damage(["param_groups", 0, "param_names"], "ab"), "must be a list"),
    (damage(["skipped_steps"], -1), "skipped_steps must be a whole number"),
    (damage(["skipped_steps"], "many"), "skipped_steps must be a whole number"),
]


@pytest.mark.parametrize(("saved", "message"), BAD)
def test_all_or_nothing(saved: dict[str, Any], message: str) -> None:
    opt = fs.Adam(params())
    for g in steps(2):
        opt.step(g)
    before = copy.deepcopy(opt.state_dict())
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(saved)
    after = opt.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i in (0, 1):
        assert after["state"][i]["step"] == 2
        assert_same_bits(after["state"][i]["exp_avg"], before["state"][i]["exp_avg"])


def test_an_unbound_optimizer_loads_at_its_first_update() -> None:
    p, q = params(), params()
    bound, unbound = fs.Adam(p), fs.Adam()
    g = steps(3)
    bound.step(g[0])
    unbound.load_state_dict(copy.deepcopy(bound.state_dict()))
    for a, b in zip(q, p, strict=True):
        a[...] = b
    for grads in g[1:]:
        bound.step(grads)
        unbound.update(q, grads)
    for a, b in zip(q, p, strict=True):
        assert_same_bits(a, b)


def test_an_unbound_optimizer_refuses_at_once_what_it_can_and_keeps_the_rest() -> None:
    unbound = fs.Adam()
    unbound.load_state_dict(good())
    with pytest.raises(ValueError, match="Invalid learning rate"):
        unbound.load_state_dict(damage(["param_groups", 0, "lr"], float("nan")))
    kept = unbound.state_dict()
    assert kept["state"][1]["step"] == 1
    assert_same_bits(kept["state"][1]["exp_avg"], good()["state"][1]["exp_avg"])


def test_a_pending_state_is_a_snapshot_and_a_bad_one_is_not_forgotten() -> None:
    source, unbound = fs.Adam(params()), fs.Adam()
    source.step(steps(1)[0])
    unbound.load_state_dict(source.state_dict())
    wanted = source.state[1]["exp_avg"].copy()
    source.step(steps(1)[0])
    others = [np.ones(3), np.ones(5)]
    for _ in range(2):
        with pytest.raises(ValueError, match="state 'exp_avg' of parameter 0 has shape"):
            unbound.update(others, [np.zeros(3), np.zeros(5)])
        assert (others[0] == 1).all()
    own = params()
    unbound.update(own, [None, np.zeros_like(own[1])])
    assert unbound.state[1]["step"] == 2
    assert_same_bits(unbound.state[1]["exp_avg"], wanted * wanted.dtype.type(0.9))


def test_state_that_is_let_go_runs_its_code_when_loading_is_over() -> None:
    """What replaced state has for `__del__` sees the optimizer whole, and may use it."""
    seen: list[Any] = []

    class Noisy(np.ndarray):
        def __del__(self) -> None:
            seen.append([entry["step"] for entry in opt.state.values()])

    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        return np.empty(like.shape, dtype).view(Noisy)

    opt = fs.Momentum(params(), state_factory=factory)
    opt.step(steps(1)[0])
    saved = opt.state_dict()
    opt.step(steps(1)[0])
    seen.clear()
    opt.load_state_dict(saved)
    assert seen == [[1, 1]] * 2


def test_options_switched_on_in_mid_run_and_reset() -> None:
    opt = fs.Adam(params())
    g = steps(3)
    opt.step(g[0])
    opt.param_groups[0]["amsgrad"] = True
    opt.step(g[1])
    assert set(opt.state[0]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
    opt.reset()
    assert len(opt.state) == 0
    opt.step(g[2])
    assert opt.state[0]["step"] == 1


@pytest.mark.parametrize("taken", ["state_dict", "save", "pickle", "copy"])
@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        (
            "state_dtype",
            "float64",
            "state_dtype beside parameter 0 of dtype float32 must be float16",
        ),
        ("lr", -1.0, "Invalid learning rate: -1.0"),
        ("more", 1, "has no option 'more'"),
    ],
)
def test_what_a_step_would_refuse_of_a_group_is_not_saved(
    option: str, value: Any, text: str, taken: str, tmp_path: Path
) -> None:
    ways: dict[str, Callable[[], object]] = {
        "state_dict": lambda: opt.state_dict(),
        "save": lambda: opt.save(tmp_path / "f"),
        "pickle": lambda: pickle.dumps(opt),
        "copy": lambda: copy.copy(opt),
    }
    opt = fs.Adam([np.ones(2, np.float32)])
    opt.step([np.ones(2)])
    opt.param_groups[0][option] = value
    with pytest.raises(ValueError, match=text):
        ways[taken]()
    del opt.param_groups[0][option]
    opt.param_groups[0].setdefault("state_dtype", None)
    opt.param_groups[0].setdefault("lr", 0.5)
    ways[taken]()
