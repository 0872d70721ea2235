"""``strict=False``: what fits by name is taken over, and what is left is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits, assert_same_state


def params(**shapes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def stepped(opt: Any, times: int = 2) -> Any:
    rng = np.random.default_rng(times)
    names = opt._names
    for _ in range(times):
        grads = [rng.standard_normal(p.shape) for p in opt._parameters()]
        opt.step(grads if names is None else dict(zip(names, grads, strict=True)))
    return opt


def trained() -> fs.Optimizer:
    return stepped(fs.Adam(params(body=(3, 2), head=5, scale=()), lr=0.1, weight_decay=0.01))


@pytest.mark.parametrize("from_file", [False, True])
def test_a_new_head_another_order_and_a_part(from_file: bool, tmp_path: Path) -> None:
    old = trained()
    mine = params(extra=2, head=7, body=(3, 2))
    new = stepped(fs.Adam(mine, lr=0.5), times=5)
    head = {n: np.copy(a) for n, a in new.state["head"].items()}
    values = {name: p.copy() for name, p in mine.items()}
    if from_file:
        old.save(tmp_path / "run")
        report = new.load(tmp_path / "run", strict=False)
    else:
        report = new.load_state_dict(old.state_dict(), strict=False)
    assert report == fs.LoadReport(("body",), ("extra",), ("scale",), ("head",))
    assert new.lr == 0.1
    for name in ("exp_avg", "exp_avg_sq"):
        assert_same_bits(new.state["body"][name], old.state["body"][name])
        assert not np.shares_memory(new.state["body"][name], old.state["body"][name])
        assert_same_bits(new.state["head"][name], head[name])
    steps = {name: new.state[name]["step"] for name in mine}
    assert steps == {"extra": 5, "head": 5, "body": 2}
    body = old._parameters()[0] if from_file else values["body"]
    assert_same_bits(mine["body"], body)
    for name in ("extra", "head"):
        assert_same_bits(mine[name], values[name])
    stepped(new)


def test_the_whole_of_it_is_as_strict() -> None:
    old, new = trained(), fs.Adam(params(body=(3, 2), head=5, scale=()))
    report = new.load_state_dict(old.state_dict(), strict=False)
    assert report == fs.LoadReport(("body", "head", "scale"), (), (), ())
    assert_same_state(new, old)
    assert new.load_state_dict(old.state_dict()) is None


@pytest.mark.parametrize("from_file", [False, True])
def test_by_position_where_one_has_no_names(from_file: bool, tmp_path: Path) -> None:
    old = trained()
    listed = [np.zeros((3, 2)), np.zeros(4)]
    new = fs.Adam(listed)
    if from_file:
        old.save(tmp_path / "run")
        report = new.load(tmp_path / "run", strict=False)
        assert_same_bits(listed[0], old._parameters()[0])
    else:
        report = new.load_state_dict(old.state_dict(), strict=False)
    assert report == fs.LoadReport((0,), (), (2,), (1,))
    assert_same_bits(new.state[0]["exp_avg"], old.state["body"]["exp_avg"])
    named = fs.Adam(params(a=(3, 2), b=5))
    stripped = stepped(fs.Adam([np.zeros((3, 2)), np.zeros(5), np.zeros(2)]))
    assert named.load_state_dict(stripped.state_dict(), strict=False).loaded == ("a", "b")


def test_options_are_of_groups_that_can_be_told_apart() -> None:
    old = trained()
    groups = [{"params": {"body": np.zeros((3, 2))}}, {"params": {"new": np.zeros(1)}}]
    new = fs.Adam(groups, lr=0.5)
    report = new.load_state_dict(old.state_dict(), strict=False)
    assert report.loaded == ("body",)
    assert new.lr == 0.5


def test_an_unbound_optimizer_that_has_begun() -> None:
    old = trained()
    new = fs.Adam()
    with pytest.raises(ValueError, match="strict must be True before the parameters are known"):
        new.load_state_dict(old.state_dict(), strict=False)
    w = {"body": np.zeros((3, 2)), "new": np.zeros(2)}
    new.update(w, {name: np.ones_like(p) for name, p in w.items()})
    report = new.load_state_dict(old.state_dict(), strict=False)
    assert report == fs.LoadReport(("body",), ("new",), ("head", "scale"), ())
    new.update(w, {name: np.ones_like(p) for name, p in w.items()})
    assert (new.state["body"]["step"], new.state["new"]["step"]) == (3, 2)


@pytest.mark.parametrize("from_file", [False, True])
def test_what_is_no_part_of_it_is_still_refused(from_file: bool, tmp_path: Path) -> None:
    def load(new: fs.Optimizer, old: fs.Optimizer) -> None:
        if from_file:
            old.save(tmp_path / "run")
            new.load(tmp_path / "run", strict=False)
        else:
            new.load_state_dict(old.state_dict(), strict=False)

    other = stepped(fs.Momentum(params(body=(3, 2))))
    new = stepped(fs.Adam(params(body=(3, 2))))
    twin = stepped(fs.Adam(params(body=(3, 2))))
    with pytest.raises(ValueError, match=r"velocity|Momentum"):
        load(new, other)
    wrong = trained()
    wrong.state["body"]["exp_avg"][...] = 1e300  # float32 cannot hold it
    narrow = fs.Adam({"body": np.zeros((3, 2), np.float32)})
    with pytest.raises(ValueError, match=r"cannot hold|float64"):
        load(narrow, wrong)
    assert not narrow.state
    assert_same_state(new, twin)


def test_a_file_with_more_than_that(tmp_path: Path) -> None:
    opt = trained()
    both = {"a": opt, "b": trained()}
    fs.save_checkpoint(tmp_path / "run", optimizer=both, params=[np.zeros(3)])
    with pytest.raises(ValueError, match="lacks an unnamed optimizer"):
        opt.load(tmp_path / "run", strict=False)


def test_what_is_no_array_and_no_flag() -> None:
    opt = fs.Momentum([np.zeros(3)])
    saved = opt.state_dict()
    saved["state"][0] = {"step": 1, "velocity": "abc"}
    report = opt.load_state_dict(saved, strict=False)
    assert report.shape == (0,)
    for load in (lambda: opt.load_state_dict(saved, strict="no"), lambda: opt.load("f", "no")):  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="strict must be True or False"):
            load()


def test_what_is_of_the_model_is_loaded_for_all_of_a_group() -> None:
    def trained(names: tuple[str, ...], steps: int) -> fs.Prodigy:
        params = {name: np.full(3, 2.0) for name in names}
        opt = fs.Prodigy(params, d0=1e-3)
        for _ in range(steps):
            opt.step({name: 2 * p for name, p in params.items()})
        return opt

    body, both = trained(("body",), 30), trained(("head", "body"), 1)
    report = both.load_state_dict(body.state_dict(), strict=False)
    assert report.loaded == ("body",)
    assert both.state["head"]["d"] == both.state["body"]["d"] == body.state["body"]["d"]
    assert both.state["head"]["step"] == 1


def test_what_is_of_the_model_must_be_one() -> None:
    opt = fs.Prodigy([np.ones(2), np.ones(2)])
    opt.step([np.ones(2), np.ones(2)])
    saved = opt.state_dict()
    saved["state"][1]["d"] = 5.0
    with pytest.raises(ValueError, match=r"'d' must be the same for all parameters of group 0"):
        opt.load_state_dict(saved)
