"""Schedulers in checkpoints: they go on, and one that refuses is taken back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers
from support.arrays import Array, assert_same_bits
from support.schedules import SCHEDULES, optimizer

MADE: dict[str, Any] = {
    **{name: schedule.make for name, schedule in SCHEDULES.items()},
    "one cycle": lambda o: schedulers.OneCycleLR(o, 0.4, total_steps=12),
    "plateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=0, cooldown=1),
}


@pytest.mark.parametrize("name", MADE)
def test_schedulers_go_on(name: str, tmp_path: Path) -> None:
    def made() -> tuple[list[Array], fs.Optimizer, Any]:
        opt = optimizer()
        params = [p for group in opt.param_groups for p in group["params"]]
        for p in params:
            p[...] = np.linspace(-1, 1, p.size)
        return params, opt, MADE[name](opt)

    def run(params: list[Array], opt: fs.Optimizer, scheduler: Any, epochs: range) -> None:
        for epoch in epochs:
            opt.step([p * 3 for p in params])
            scheduler.step(*([abs(epoch - 4.0)] if name == "plateau" else []))

    params, opt, scheduler = made()
    run(params, opt, scheduler, range(5))
    fs.save_checkpoint(tmp_path / "f", optimizer=opt, params=params, schedulers=scheduler)
    others, other, resumed = made()
    fs.load_checkpoint(tmp_path / "f", optimizer=other, params=others, schedulers=resumed)
    run(params, opt, scheduler, range(5, 11))
    run(others, other, resumed, range(5, 11))
    for q, p in zip(others, params, strict=True):
        assert_same_bits(q, p)
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    assert [g["lr"] for g in other.param_groups] == [g["lr"] for g in opt.param_groups]


class Stubborn:
    """A user's scheduler that is made to refuse, after it has changed itself."""

    def __init__(self) -> None:
        self.value, self.refuses = 0, False

    def state_dict(self) -> dict[str, int]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.value = state["value"]
        if self.refuses and self.value == 1:
            raise KeyError("no")


def test_a_scheduler_that_refuses_is_taken_back(tmp_path: Path) -> None:
    p = np.ones(2)
    opt = fs.SGD([p], lr=0.1)
    other = fs.SGD([np.ones(2)])
    pair = [schedulers.StepLR(opt, 3), schedulers.StepLR(other, 4)]
    fs.save_checkpoint(tmp_path / "f", params=[p], schedulers=pair)
    others = [schedulers.StepLR(opt, 5), schedulers.StepLR(other, 6)]
    other.add_param_group({"params": [np.ones(1)]})
    others[1].step()  # it has two rates now: the first loads, this one does not
    q = np.zeros(2)
    with pytest.raises(ValueError, match="StepLR refuses its state"):
        fs.load_checkpoint(tmp_path / "f", params=[q], schedulers=others)
    assert [s.state_dict()["step_size"] for s in others] == [5, 6]
    assert (q == 0).all()
    milestones = schedulers.MultiStepLR(opt, [2, 2])
    fs.save_checkpoint(tmp_path / "f", schedulers=milestones)
    fs.load_checkpoint(tmp_path / "f", schedulers=milestones)
    assert milestones.state_dict()["milestones"] == Counter([2, 2])


def test_schedulers_before_one_that_refuses_are_taken_back(tmp_path: Path) -> None:
    p, q = np.ones(3), np.ones(3)
    first = schedulers.StepLR(fs.SGD([p], lr=0.5), 3)
    second = Stubborn()
    second.value = 1
    fs.save_checkpoint(tmp_path / "f", params=[p], schedulers=[first, second])
    now = schedulers.StepLR(fs.SGD([q], lr=0.25), 7)
    stubborn = Stubborn()
    stubborn.value, stubborn.refuses = 5, True
    before = now.state_dict()
    q[:] = 9
    with pytest.raises(ValueError, match="Stubborn refuses its state"):
        fs.load_checkpoint(tmp_path / "f", params=[q], schedulers=[now, stubborn])
    assert now.state_dict() == before
    assert stubborn.value == 5
    assert (q == 9).all()
