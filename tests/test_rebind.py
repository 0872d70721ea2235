"""Groups that others come in are taken by the names in them, where there are any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs


def of_groups(*names: str) -> fs.Optimizer:
    return fs.SGD([{"params": {name: np.zeros(2)}} for name in names], lr=1.0)


def test_groups_in_another_order() -> None:
    opt, other = of_groups("a", "b"), of_groups("b", "a")
    opt.rebind(other.param_groups)  # type: ignore[arg-type]  # which has more than "params"
    opt.step({"a": np.ones(2), "b": np.zeros(2)})
    (b,), (a,) = (group["params"] for group in other.param_groups)
    assert (a == -1).all()
    assert (b == 0).all()
    moved = {"a": np.ones(2), "b": np.ones(2)}
    opt.rebind([{"params": {"b": moved["b"]}}, {"params": {"a": moved["a"]}}])
    opt.step({"a": np.ones(2), "b": np.zeros(2)})
    assert (moved["a"] == 0).all()
    moved["b"] = np.zeros(2)  # no list or dict of theirs that is watched


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"params": {"x": np.ones(2), "y": np.ones(2)}}], r"missing \['a', 'b'\]"),
        ([{"params": {"a": np.ones(2)}}, {"params": [np.ones(2)]}], "cannot be mixed"),
        ([{"params": {"a": np.ones(2)}}, {"params": {"a": np.ones(2)}}], "found 'a' twice"),
    ],
    ids=["other names", "mixed", "twice"],
)
def test_what_does_not_fit_changes_nothing(groups: Any, message: str) -> None:
    opt = of_groups("a", "b")
    with pytest.raises(ValueError, match=message):
        opt.rebind(groups)
    opt.step({"a": np.ones(2), "b": np.zeros(2)})
    assert (opt.param_groups[0]["params"][0] == -1).all()


def test_averages_are_taken_by_name_too() -> None:
    p = {"a": np.zeros(2), "b": np.full(2, 8.0)}
    mean = fs.averages.Mean(p)
    mean.update()
    mean.rebind([{"params": {"b": np.full(2, 4.0)}}, {"params": {"a": np.ones(2)}}])
    mean.update()
    assert (mean.averages["b"] == 6).all()
