"""Names that come later have a step count of their own; missing names skip, if they may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import TENSORWISE_RUN_IDS, TENSORWISE_RUNS, Case
from support.arrays import assert_same_bits

W, B = np.ones(3), np.ones(2)


@pytest.mark.parametrize(("case", "dtype"), TENSORWISE_RUNS, ids=TENSORWISE_RUN_IDS)
@pytest.mark.parametrize("functional", [False, True], ids=["update", "updated"])
def test_they_begin_when_they_come(case: Case, dtype: Any, functional: bool) -> None:
    rng = np.random.default_rng(0)
    opt = case.optimizer(**case.options)
    alone = {name: case.optimizer(**case.options) for name in "abc"}
    params: dict[str, Any] = {}
    copies: dict[str, Any] = {}
    for t in range(5):
        for name in ("ab", "", "c", "", "")[t]:
            params[name] = rng.standard_normal((3, 5)).astype(dtype)
            copies[name] = params[name].copy()
        # In another order than they came in.
        params = {name: params[name] for name in sorted(params, reverse=bool(t % 2))}
        grads = {name: rng.standard_normal((3, 5)).astype(dtype) for name in params}
        if functional:
            params = opt.updated(params, grads)
        else:
            opt.update(params, grads)
        for name, copy in copies.items():
            alone[name].update({"p": copy}, {"p": grads[name]})
            assert_same_bits(params[name], copy)
    for name, one in alone.items():
        assert opt.state[name]["step"] == one.state["p"]["step"] == (3 if name == "c" else 5)


LATER: list[tuple[str, Any, Any, str]] = [
    ("gradient", {"c": np.ones(2)}, {"c": np.ones(3)}, "gradient of parameter 'c' has shape"),
    ("no gradient", {"c": np.ones(2)}, {}, r"gradients have the names .* \(missing .'c'"),
    ("dtype", {"c": np.ones(2, int)}, {"c": B}, "parameter 'c' has dtype int64"),
    ("text", {"c": "w"}, {"c": B}, "parameter 'c' must be a NumPy array"),
    ("tree", {"c": [np.ones(2)]}, {"c": [B]}, "parameters have the names|have a dict"),
    ("key", {3: np.ones(2)}, {3: B}, "parameter names must be str"),
    ("state", "state", {"c": W}, "are the same array"),
    ("shared", "shared", {"c": W}, "parameter 'w' and parameter 'c' overlap"),
    ("moved", {"c": np.ones(2), "w": np.ones(3)}, {"c": B}, "'w' lies in other memory"),
]


@pytest.mark.parametrize("bad", LATER, ids=[row[0] for row in LATER])
def test_one_that_is_refused_changes_nothing(bad: Any) -> None:
    _, more, grads, message = bad
    params = {"w": np.ones(3), "b": np.ones(2)}
    opt = fs.Adam(lr=0.1)
    opt.update(params, {"w": W, "b": B})
    if isinstance(more, str):
        more = {"c": params["w"] if more == "shared" else opt.state["w"]["exp_avg"]}
    before = {name: p.copy() for name, p in params.items()}
    with pytest.raises((ValueError, TypeError), match=message):
        opt.update({**params, **more}, {"w": W, "b": B, **grads})
    for name, p in params.items():
        assert_same_bits(p, before[name])
    assert [entry["step"] for entry in opt.state.values()] == [1, 1]
    opt.update(params, {"w": W, "b": B})
    later = {**params, "c": np.ones(4)}
    opt.update(later, {"w": W, "b": B, "c": np.ones(4)})
    assert [entry["step"] for entry in opt.state.values()] == [3, 3, 1]


def test_none_may_be_left_out() -> None:
    params = {"w": np.ones(3), "b": np.ones(2)}
    opt = fs.Adam()
    opt.update(params, {"w": W, "b": B})
    with pytest.raises(ValueError, match=r"missing .'b'., unknown .*update_one\(\)"):
        opt.update({"w": params["w"], "c": np.ones(1)}, {"w": W, "c": np.ones(1)})


@pytest.mark.parametrize("bound", [True, False])
def test_a_name_that_is_missing_skips(bound: bool, caplog: pytest.LogCaptureFixture) -> None:
    params = {"w": np.ones(3), "b": np.ones(2)}
    opt = fs.Adam(params if bound else None, missing="skip")

    def step(grads: Any) -> fs.StepInfo:
        return opt.step(grads) if bound else opt.update(params, grads)

    for _ in range(99):
        step({"w": W})
    assert list(opt.state) == ["w"]
    assert_same_bits(params["b"], B)
    assert not caplog.records
    for _ in range(150):
        step({"w": W})
    assert [r.getMessage() for r in caplog.records] == [
        "parameter 'b' has had no gradient in 100 steps; is its name right?"
    ]
    step({})
    step({"b": B})
    assert [entry["step"] for entry in opt.state.values()] == [249, 1]
    for bad in ({"w": W, "B": B}, {"B": B}, {"w": W, "b": B, "c": B}):
        with pytest.raises(ValueError, match="unknown"):
            step(bad)
    opt.missing = "raise"
    with pytest.raises(ValueError, match=r"missing \['b'\]"):
        step({"w": W})
    with pytest.raises(ValueError, match="Invalid missing value: 'ignore'"):
        opt.missing = "ignore"  # type: ignore[assignment]


def test_gradients_that_come_now_and_then_are_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    params = {"w": np.ones(3), "b": np.ones(2)}
    opt = fs.SGD(params, missing="skip")
    for t in range(400):
        opt.step({"w": W} if t % 90 else {"w": W, "b": B})
    assert not caplog.records


def test_dotted_names_of_a_tree_may_be_missing() -> None:
    params = {"a": [np.ones(2), np.ones(1)], "b": np.ones(1)}
    opt = fs.SGD(params, lr=1.0, missing="skip")
    opt.step({"a.1": np.ones(1)})
    assert (params["a"][0][0], params["a"][1][0], params["b"][0]) == (1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="gradients"):
        opt.step({"a": [np.ones(2)], "b": np.ones(1)})
