"""A short run of the fuzzers, and proof that they can fail."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from fuzzing import checkpoints, session, ways
from fuzzing.arrays import Spec
from fuzzing.things import At, Many
from support.arrays import assert_same_bits, assert_same_state, bits

#: So many in a part that no kind of call comes to nothing by chance, whatever classes there are.
SEEDS = 30


@pytest.mark.parametrize("part", range(4))
def test_the_public_api(part: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(SEEDS * part, SEEDS * (part + 1)):
        session.run(("test", seed), counts)
    # Calls that all are refused would show nothing.
    assert counts["step done"] > counts["step refused"] > 0
    assert (
        min(
            counts[f"{name} done"]
            for name in ("update", "make", "load", "copied", "add", "replace")
        )
        > 0
    )


def test_all_ways_to_keep_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()

    def run() -> None:
        for seed in range(40):
            ways.run(("test", seed), counts)

    run()
    assert min(counts[name] for name in ("step applied", "replaced", "copied")) > 10

    def wrong(self: Any, i: int, new: Any, index: Any) -> None:
        self.opt.replace(self.opt._keys()[i], new, index and index[::-1])

    monkeypatch.setattr(ways.Flat, "replace", wrong)
    with pytest.raises(session.Found, match="is not"):
        run()


@pytest.mark.parametrize("part", range(4))
def test_checkpoints(part: int) -> None:
    counts: Counter[str] = Counter()
    checkpoints.run(("test", part), counts, 250)
    assert counts["refused"] > 100
    assert counts["loaded"] > 0


SESSION: session.Session = [
    ("array", 0, Spec("<f4", (3,))),
    ("array", 1, Spec("<f4", (7,))),
    ("make", 0, "SGD", Many("list", (At(0),)), {"lr": 0.5}),
    ("look", 0),
    ("step", 0, Many("list", (Spec("<f4", (3,)),)), {}),
]


def test_a_difference_is_found_and_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    from ferrostep.backends import reference

    def wrong(p: Any, g: Any, state: Any, o: Any, t: int, fresh: Any) -> Any:
        return np.nextafter(p - o["lr"] * g, np.float32(9)), {}

    session.replay(SESSION)
    monkeypatch.setitem(reference.RULES, "SGD", wrong)
    with pytest.raises(session.Found, match="other bits") as caught:
        session.replay(SESSION)
    shorter = session.shortened(caught.value).session
    assert [call[0] for call in shorter] == ["array", "make", "step"]
    assert eval(session.script(shorter)) == shorter


def test_a_write_before_a_refusal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: Any, saved: Any) -> None:
        self._parameters()[0][...] = 7
        raise ValueError

    monkeypatch.setattr(fs.SGD, "load_state_dict", careless)
    with pytest.raises(session.Found, match="has written"):
        session.replay([*SESSION, ("load", 0, 0, ())])


def test_another_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any) -> None:
        raise RuntimeError("internal error")

    monkeypatch.setattr(fs.SGD, "reset", broken)
    with pytest.raises(session.Found, match="RuntimeError: internal error"):
        session.replay([*SESSION, ("reset", 0)])


# What the fuzzers have found.


def test_a_refused_update_does_not_become_the_last() -> None:
    opt, first = fs.Momentum(), np.ones(3)
    opt.update({"w": first[:]}, {"w": np.ones(3)})  # a view that is gone at once
    wrong = np.ones(5)
    with pytest.raises(ValueError, match=r"has shape \(5,\) .* wanted shape \(3,\)"):
        opt.update({"w": wrong}, {"w": np.ones(5)})
    opt.update({"w": first}, {"w": np.ones(3)})  # `wrong` is alive still, and was never stepped
    assert opt.state["w"]["step"] == 2


def test_a_refused_first_update_leaves_what_was_loaded() -> None:
    source, opt = fs.SGD([np.ones(3)], lr=0.5, momentum=0.5), fs.SGD(lr=0.1)
    source.step([np.ones(3)])
    opt.load_state_dict(source.state_dict())
    assert opt.param_groups[0]["lr"] == 0.5
    p = np.ones(3)
    with pytest.raises(ValueError, match="has shape"):
        opt.update([p], [np.ones(4)])
    opt.param_groups[0]["lr"] = 0.25  # what is set meanwhile is obeyed
    assert opt.state[0]["step"] == 1
    opt.update([p], [np.zeros(3)])
    assert (p == 1 - 0.25 * 0.5).all()


COPIES: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda opt: pickle.loads(pickle.dumps(opt)),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_has_the_state_of_arrays_that_are_gone(how: str) -> None:
    w = np.linspace(-1, 1, 3)
    opt = fs.Adam(nonfinite="skip")
    opt.update([w[:]], [np.ones(3)])
    opt.update([w[:]], [np.full(3, np.nan)])
    twin, q = COPIES[how](opt), w.copy()
    with pytest.raises(TypeError):
        twin.update([q], [3.0])
    assert twin.skipped_steps == opt.skipped_steps == 1
    opt.update([w], [np.ones(3)])
    twin.update([q], [np.ones(3)])
    assert (bits(w) == bits(q)).all()
    assert twin.state[0]["step"] == 2


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("edit", ["pop", "append", "params"])
def test_edited_groups_are_refused_everywhere(edit: str, bound: bool, tmp_path: Path) -> None:
    p = np.ones(3)
    opt = fs.Adam([p] if bound else None)
    saved = copy.deepcopy(opt.state_dict())
    if edit == "params":
        opt.param_groups[0].pop("params")
        if not bound:  # they are nobody's there
            opt.update([p], [p + 1])
            assert opt.state_dict()["param_groups"][0]["params"] == [0]
            return
    elif edit == "pop":
        opt.param_groups.pop()
    else:
        opt.param_groups.append(dict(opt.param_groups[0]))
    calls = [
        opt.state_dict,
        lambda: opt.load_state_dict(saved),
        lambda: copy.copy(opt),
        lambda: copy.deepcopy(opt),
        lambda: pickle.dumps(opt),
        lambda: opt.save(tmp_path / "f"),
    ]
    calls.append(
        (lambda: opt.add_param_group({"params": [np.ones(2)]}))
        if bound
        else lambda: opt.update([p], [p + 1])
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"use add_param_group"):
            call()
    assert not list(tmp_path.iterdir())


def test_a_refused_option_is_not_remembered() -> None:
    opt = fs.Momentum([{"params": [np.ones(3)]}, {"params": [np.ones(3, np.float32)]}])
    for group in opt.param_groups:
        group["state_dtype"] = "bfloat16"
    with pytest.raises(ValueError, match=r"state_dtype beside parameter 0 of dtype .* must be"):
        opt.step([np.ones(3), np.ones(3)])
    for group in opt.param_groups:
        group["state_dtype"] = None
    opt.step([np.ones(3), np.ones(3)])
    assert [e["velocity"].dtype for e in opt.state.values()] == [np.float64, np.float32]


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_momentum_beyond_float32_leaves_the_first_buffer(nesterov: bool) -> None:
    p, q = np.ones(2, np.float32), np.ones(2, np.float32)
    opt = fs.SGD([p], lr=0.5, momentum=1e308, nesterov=nesterov)
    twin = fs.SGD([q], lr=0.5, momentum=1e308, nesterov=nesterov, backend="reference")
    for _ in range(2):
        opt.step([np.array([1, -0.0], np.float32)])
        twin.step([np.array([1, -0.0], np.float32)])
        assert_same_bits(p, q)
        assert_same_state(opt, twin)
    if not nesterov:
        assert opt.state[0]["momentum_buffer"][0] == np.inf


def test_a_schedule_that_fails_changes_nothing() -> None:
    opt = fs.SGD([np.ones(3)], momentum=0.9)
    schedule = fs.schedulers.OneCycleLR(opt, max_lr=0.5, total_steps=9)
    opt.step([np.ones(3)])
    opt.add_param_group({"params": [np.ones(2)]})
    options, own = [dict(group) for group in opt.param_groups], schedule.state_dict()
    with pytest.raises(ValueError, match="has no '"):
        schedule.step()
    assert [dict(group) for group in opt.param_groups] == options
    assert schedule.state_dict() == own
    opt = fs.SGD([np.ones(3)])
    opt.param_groups[0]["lr"] = 10**400
    with pytest.raises(ValueError, match="beyond"):
        fs.schedulers.StepLR(opt, step_size=1)
    del opt.param_groups[0]["lr"]
    with pytest.raises(TypeError, match="'lr'"):
        fs.schedulers.StepLR(opt, step_size=1)


def test_options_of_any_key_are_shown() -> None:
    opt = fs.SGD([np.ones(3)])
    opt.param_groups[0][3] = None  # type: ignore[index]
    assert "3: None" in repr(opt)


def test_a_group_is_added_to_parameters_as_they_are_now() -> None:
    p = np.ones(6)
    opt = fs.SGD([p])
    p.resize(100_000, refcheck=False)  # lies elsewhere now, so extents alone would not tell
    with pytest.raises(ValueError, match=r"parameter 0 has shape .* as before"):
        opt.add_param_group({"params": [p]})
    assert len(opt.param_groups) == 1


@pytest.mark.parametrize("betas", [0.9, np.complex64(1), None])
def test_a_schedule_refuses_betas_that_are_none(betas: object) -> None:
    opt = fs.Adam([np.ones(3)])
    opt.param_groups[0]["betas"] = betas
    before = dict(opt.param_groups[0])
    with pytest.raises(ValueError, match="betas must be two numbers, found"):
        fs.schedulers.OneCycleLR(opt, max_lr=0.5, total_steps=9)
    assert opt.param_groups[0] == before
