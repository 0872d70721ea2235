"""Schedule-free classes with what stands around them: wrappers, schedules, containers, bounds."""

from __future__ import annotations

import numpy as np
import pytest

import ferrostep as fs


def test_options_out_of_bounds() -> None:
    for momentum in (0.0, 1.0):
        with pytest.raises(ValueError, match=r"momentum must be a number in \(0, 1\)"):
            fs.ScheduleFreeSGD([np.ones(2)], momentum=momentum)
    with pytest.raises(ValueError, match=r"betas\[0\] must be in \(0, 1\), found 0"):
        fs.ScheduleFreeAdamW([np.ones(2)], betas=(0.0, 0.9))


def test_around_it_wrappers_go_on() -> None:
    p = np.ones(3)
    opt = fs.Lookahead(fs.ScheduleFreeSGD([p], lr=0.1), k=2)
    for _ in range(3):
        opt.step([2 * p])
    opt.eval()
    with pytest.raises(ValueError, match="call train"):
        opt.step([2 * p])
    opt.train()
    opt.step([2 * p])


def test_a_parameter_that_was_replaced_by_hand_is_an_error() -> None:
    params = {"w": np.ones(2)}
    opt = fs.ScheduleFreeSGD(params, lr=0.1)
    opt.step({"w": np.ones(2)})
    params["w"] = params["w"].copy()
    for call in (opt.eval, opt.train, fs.Accumulator(opt, 2).eval):
        with pytest.raises(ValueError, match="parameter 'w' was replaced"):
            call()


def test_no_gradient_of_the_average_is_accumulated() -> None:
    p = np.ones(2)
    opt = fs.Accumulator(fs.ScheduleFreeSGD([p], lr=0.1), 2)
    for _ in range(2):
        opt.step([2 * p])
    opt.eval()
    with pytest.raises(ValueError, match=r"parameter 0 must be .* call train\(\) before a step"):
        opt.step([2 * p])
    assert opt.accumulated == 0
    opt.train()
    opt.step([2 * p])
    assert opt.accumulated == 1


def test_no_schedule_cycles_the_share_of_the_average() -> None:
    opt = fs.ScheduleFreeAdamW([np.ones(2)])
    wanted = "cycle_momentum must be False for ScheduleFreeAdamW"
    with pytest.raises(ValueError, match=wanted):
        fs.schedulers.OneCycleLR(opt, max_lr=0.1, total_steps=9)
    with pytest.raises(ValueError, match=wanted):
        fs.schedulers.CyclicLR(opt, base_lr=0.1, max_lr=0.2)
    fs.schedulers.OneCycleLR(opt, max_lr=0.1, total_steps=9, cycle_momentum=False)
