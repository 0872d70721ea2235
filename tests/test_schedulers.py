"""The schedulers against their closed forms."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched
from support.schedules import RATES, SCHEDULES, optimizer, stepped

EPOCHS = 35


#: All of them, by name.
each = pytest.mark.parametrize("name", SCHEDULES)


@each
def test_closed_form(name: str) -> None:
    make, form = SCHEDULES[name]
    opt = optimizer()
    schedule = make(opt)
    for t in range(EPOCHS):
        wanted = [rate * form(t) for rate in RATES]
        # torch multiplies recursively, so the last bits drift from the closed form.
        assert schedule.get_last_lr() == pytest.approx(wanted, rel=1e-12, abs=1e-17)
        assert [group["lr"] for group in opt.param_groups] == schedule.get_last_lr()
        opt.step([np.ones(2), np.ones(1)])
        schedule.step()


@each
@pytest.mark.parametrize("after", [0, 3, 7, 24])
def test_resume_is_exact(name: str, after: int) -> None:
    make = SCHEDULES[name].make
    whole, opt, other = stepped(), stepped(), stepped()
    wanted, first, second = make(whole), make(opt), make(other)
    for _ in range(after):
        wanted.step()
        first.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    other.load_state_dict(opt.state_dict())
    for _ in range(9):
        for schedule in (wanted, second):
            schedule.step()
        assert second.get_last_lr() == wanted.get_last_lr()
        assert [g["lr"] for g in other.param_groups] == [g["lr"] for g in whole.param_groups]
        assert [g["momentum"] for g in other.param_groups] == [
            g["momentum"] for g in whole.param_groups
        ]


@each
def test_copies_go_on(name: str) -> None:
    opt = stepped()
    schedule = SCHEDULES[name].make(opt)
    for _ in range(5):
        schedule.step()
    pairs = [copy.deepcopy((opt, schedule))]
    if name not in ("lambda", "multiplicative"):  # functions that are written in place
        pairs.append(pickle.loads(pickle.dumps((opt, schedule))))
    for _ in range(9):
        schedule.step()
        for other, copied in pairs:
            copied.step()
            assert copied.get_last_lr() == schedule.get_last_lr()
            assert [g["lr"] for g in other.param_groups] == schedule.get_last_lr()


@each
def test_a_bad_state_changes_nothing(name: str) -> None:
    schedule = SCHEDULES[name].make(stepped())
    schedule.step()
    before = copy.deepcopy(schedule.state_dict())
    for bad in ({**before, "last_epoch": "two"}, {**before, "more": 1}, {"last_epoch": 2}):
        with pytest.raises(ValueError, match=r"last_epoch|state_dict|lr_lambdas"):
            schedule.load_state_dict(bad)
        assert schedule.state_dict() == before


def test_last_epoch_goes_on_from_the_groups() -> None:
    for make in (
        lambda o, last: sched.MultiplicativeLR(o, lambda t: 1 / t, last_epoch=last),
        lambda o, last: sched.ConstantLR(o, 0.5, 5, last_epoch=last),
        lambda o, last: sched.WarmupCosineLR(o, 9, 2, last_epoch=last),
        lambda o, last: sched.CosineAnnealingWarmRestarts(o, 1, 2, last_epoch=last),
        lambda o, last: sched.StepLR(o, 3, 0.5, last_epoch=last),
        lambda o, last: sched.ExponentialLR(o, 0.5, last_epoch=last),
        lambda o, last: sched.LambdaLR(o, lambda t: 1 / (1 + t), last_epoch=last),
    ):
        whole, opt = stepped(), stepped()
        one, two = make(whole, -1), make(opt, -1)
        for _ in range(4):
            one.step()
            two.step()
        resumed = make(opt, one.last_epoch - 1)  # constructing sets the rates of epoch 4 again
        for _ in range(4):
            assert resumed.get_last_lr() == one.get_last_lr()
            one.step()
            resumed.step()


def test_the_decay_can_be_put_off() -> None:
    schedule = sched.WarmupStableDecayLR(stepped(), 20, 2, 4, "linear")
    wanted = sched.WarmupStableDecayLR(stepped(), 30, 2, 4, "linear")
    for t in range(32):
        if t == 15:
            schedule.total_steps = 30
        assert schedule.get_last_lr() == wanted.get_last_lr()
        schedule.step()
        wanted.step()


def test_two_schedulers_chain() -> None:
    opt = stepped()
    both = [sched.ExponentialLR(opt, gamma=0.9), sched.StepLR(opt, step_size=3, gamma=0.5)]
    for _ in range(7):
        for schedule in both:
            schedule.step()
    assert opt.param_groups[0]["lr"] == pytest.approx(0.1 * 0.9**7 * 0.25, rel=1e-12)


def test_sequential() -> None:
    opt = stepped()
    warm = sched.LinearLR(opt, 0.5, 1.0, total_iters=4)
    then = sched.ExponentialLR(opt, gamma=0.5)
    schedule = sched.SequentialLR(opt, [warm, then], milestones=[4])
    seen = []
    for _ in range(7):
        seen.append(opt.param_groups[0]["lr"])
        schedule.step()
    assert seen == pytest.approx([0.05, 0.0625, 0.075, 0.0875, 0.1, 0.05, 0.025], rel=1e-12)


def test_one_cycle() -> None:
    opt = stepped()
    schedule = sched.OneCycleLR(opt, max_lr=1.0, total_steps=20)
    rates = [opt.param_groups[0]["lr"]]
    momenta = [opt.param_groups[0]["momentum"]]
    for _ in range(19):
        schedule.step()
        rates.append(opt.param_groups[0]["lr"])
        momenta.append(opt.param_groups[0]["momentum"])
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 5  # 0.3 * 20 - 1
    assert rates[-1] == pytest.approx(1 / 25 / 1e4)
    assert (momenta[0], momenta[5]) == pytest.approx((0.95, 0.85))
    schedule.step()  # as torch, one step past the end is allowed
    with pytest.raises(ValueError, match="20"):
        schedule.step()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda o: sched.StepLR(o, step_size=0), "step_size"),
        (lambda o: sched.ExponentialLR(o, gamma=math.nan), "gamma"),
        (lambda o: sched.CosineAnnealingLR(o, T_max=0), "T_max"),
        (lambda o: sched.ReduceLROnPlateau(o, factor=1.0), "factor"),
        (lambda o: sched.ReduceLROnPlateau(o, mode="least"), "mode"),
        (lambda o: sched.ReduceLROnPlateau(o, patience=-1), "patience"),
        (lambda o: sched.ReduceLROnPlateau(o, min_lr=[0.1]), "min_lr"),
        (lambda o: sched.ReduceLROnPlateau(o).step("low"), "metrics"),
        (lambda o: sched.OneCycleLR(o, max_lr=1.0), "total_steps"),
        (lambda o: sched.OneCycleLR(o, [1.0], total_steps=5), "max_lr"),
        (lambda o: sched.OneCycleLR(o, 1.0, total_steps=5, pct_start=1.5), "pct_start"),
        (lambda o: sched.StepLR(o, step_size=2.5), "step_size"),
        (lambda o: sched.MultiStepLR(o, 3), "milestones"),
        (lambda o: sched.LinearLR(o, start_factor=-0.1), "start_factor"),
        (lambda o: sched.ConstantLR(o, factor=1.1), "factor"),
        (lambda o: sched.ConstantLR(o, total_iters=0), "total_iters"),
        (lambda o: sched.PolynomialLR(o, total_iters=0), "total_iters"),
        (lambda o: sched.PolynomialLR(o, power=-1.0), "power"),
        (lambda o: sched.MultiplicativeLR(o, [abs]), "lr_lambda has 1 functions, wanted 2"),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 0), "T_0"),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 3, T_mult=1.5), "T_mult"),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 3).step(-0.5), "epoch"),
        (lambda o: sched.CosineAnnealingWarmRestarts(o, 3).step(math.inf), "epoch"),
        (lambda o: sched.CyclicLR(o, 0.1, [0.5]), "max_lr has 1 values, wanted 2"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, step_size_up=0), "step_size_up"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, mode="square"), "mode"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, scale_fn=2), "scale_fn"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, scale_fn=lambda x: math.nan), "scale_fn"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, scale_fn=abs, scale_mode="epoch"), "scale_mode"),
        (lambda o: sched.CyclicLR(fs.Rprop([np.ones(1)]), 0.1, 0.5), "cycle_momentum"),
        (lambda o: sched.CyclicLR(fs.Adam([np.ones(1)]), 0.1, 0.5, max_momentum=1), "max_moment"),
        (lambda o: sched.SWALR(o, -0.1), "swa_lr"),
        (lambda o: sched.SWALR(o, 0.1, anneal_epochs=2.5), "anneal_epochs"),
        (lambda o: sched.SWALR(o, 0.1, anneal_strategy="log"), "anneal_strategy"),
        (lambda o: sched.ChainedScheduler([]), "schedulers"),
        (lambda o: sched.ChainedScheduler(o), "schedulers must be a list"),
        (lambda o: sched.SequentialLR(o, [sched.StepLR(o, 2)], 3), "milestones must be a list"),
        (lambda o: sched.CyclicLR(o, 0.1, 0.5, cycle_momentum="no"), "cycle_momentum must be"),
        (lambda o: sched.ChainedScheduler([sched.ReduceLROnPlateau(o)]), "needs a metric"),
        (lambda o: sched.ChainedScheduler([sched.StepLR(o, 2)], optimizer()), "same optimizer"),
        (lambda o: sched.ChainedScheduler([sched.StepLR(o, 2)]).step(3), "epoch must be 0"),
        (lambda o: sched.WarmupStableDecayLR(o, 10, 5, 6), "at most 10 together"),
        (lambda o: sched.WarmupStableDecayLR(o, 10, 5, 5, "sqrt"), "decay"),
        (lambda o: sched.WarmupStableDecayLR(o, 10, 5, 5, "power", power=0), "power"),
        (lambda o: sched.WarmupCosineLR(o, 10, 10), "warmup_steps must be below total_steps"),
        (lambda o: sched.WarmupCosineLR(o, 10, end_factor=2.0), "end_factor"),
        (lambda o: sched.InverseSqrtLR(o, -1), "warmup_steps"),
        (lambda o: sched.InverseSqrtLR(o, 1, timescale=0.0), "timescale"),
        (lambda o: sched.NoamLR(o, 0), "d_model"),
        (lambda o: sched.NoamLR(o, 8, warmup_steps=0), "warmup_steps"),
        (lambda o: sched.LambdaLR(o, 0.5), "lr_lambda"),
        (lambda o: sched.LambdaLR(o, lambda t: math.inf), "lr_lambda"),
        (lambda o: sched.SequentialLR(o, [], []), "schedulers"),
        (lambda o: sched.SequentialLR(o, [sched.StepLR(o, 2)], [3]), "milestones"),
        (lambda o: sched.StepLR(o, 2, last_epoch=3), "initial_lr"),
        (lambda o: sched.StepLR([0.1], 2), "param_groups"),
    ],
)
def test_bad_arguments(make: Callable[[Any], object], name: str) -> None:
    with pytest.raises((ValueError, TypeError), match=name):
        make(optimizer())
