"""The picture of a schedule: its very rates, and nothing is changed by drawing them."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched
from support.schedules import RATES, SCHEDULES, stepped

figures = pytest.importorskip("matplotlib.figure")


@pytest.mark.parametrize("before", [0, 6])
@pytest.mark.parametrize("name", SCHEDULES)
def test_its_lines_are_the_rates_to_come(name: str, before: int) -> None:
    opt = stepped()
    schedule = SCHEDULES[name].make(opt)
    for _ in range(before):
        schedule.step()
    groups, state = [dict(g) for g in opt.param_groups], copy.deepcopy(schedule.state_dict())
    (axes,) = sched.plot(schedule, 30).axes
    assert [dict(g) for g in opt.param_groups] == groups
    assert schedule.state_dict() == state
    rates = []
    for _ in range(30):
        rates.append(schedule.get_last_lr())
        schedule.step()
    for line, each in zip(axes.lines, np.transpose(rates), strict=False):
        x, y = line.get_data()
        assert np.array_equal(x, np.arange(before, before + 30))
        assert np.array_equal(y, each)


def test_groups_that_agree_are_one_line(tmp_path: Path) -> None:
    def labels(*rates: float) -> list[Any]:
        groups = [{"params": [np.zeros(1)], "lr": rate} for rate in rates]
        groups[0]["name"] = "body"
        figure = sched.plot(sched.ExponentialLR(fs.SGD(groups), 0.9), 3)
        figure.savefig(tmp_path / "f.png")
        assert (tmp_path / "f.png").stat().st_size > 1000
        return [line.get_label() for line in figure.axes[0].lines]

    assert labels(0.1) == labels(0.1, 0.1) == ["ExponentialLR"]
    assert labels(0.1, 0.2, 0.1) == ["group body, 2", "group 1"]


def test_several_in_one_picture() -> None:
    axes = figures.Figure().subplots()
    opt = fs.SGD([np.zeros(1)], lr=RATES[0])
    for schedule in (sched.StepLR(opt, 2), sched.ExponentialLR(opt, 0.9)):
        assert sched.plot(schedule, 5, axes) is axes.figure
    assert [line.get_label() for line in axes.lines] == ["StepLR", "ExponentialLR"]


@pytest.mark.parametrize(
    ("make", "steps", "match"),
    [
        (lambda o: o, 5, "schedule must be a scheduler, found SGD"),
        (lambda o: None, 5, "schedule must be a scheduler, found NoneType"),
        (sched.ReduceLROnPlateau, 5, "found a ReduceLROnPlateau"),
        (lambda o: sched.StepLR(o, 2), 0, "steps must be an integer >= 1"),
        (lambda o: sched.OneCycleLR(o, 0.1, total_steps=9), 12, "at most 9"),
    ],
)
def test_what_cannot_be_drawn(make: Any, steps: int, match: str) -> None:
    opt = stepped()
    schedule = make(opt)
    before = [dict(g) for g in opt.param_groups]
    with pytest.raises((TypeError, ValueError), match=match):
        sched.plot(schedule, steps)
    assert [dict(g) for g in opt.param_groups] == before


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'ferrostep\[demo\]'"):
        sched.plot(sched.StepLR(stepped(), 2), 5)
