"""The schedulers against their closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers as sched

EPOCHS = 35


def optimizer() -> fs.Optimizer:
    groups = [{"params": [np.zeros(2)], "lr": 0.1}, {"params": [np.zeros(1)], "lr": 0.02}]
    return fs.SGD(groups, momentum=0.9)


def cosine(t: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * t / 40))


FORMS: list[tuple[Callable[[Any], sched.LRScheduler], Callable[[int], float]]] = [
    (lambda o: sched.StepLR(o, step_size=10, gamma=0.5), lambda t: 0.5 ** (t // 10)),
    (
        lambda o: sched.MultiStepLR(o, [5, 8, 8], gamma=0.1),
        lambda t: 0.1 ** sum(t >= m for m in (5, 8, 8)),
    ),
    (lambda o: sched.ExponentialLR(o, gamma=0.9), lambda t: 0.9**t),
    (lambda o: sched.LinearLR(o, 0.25, 1.0, total_iters=8), lambda t: 0.25 + 0.75 * min(t, 8) / 8),
    (lambda o: sched.CosineAnnealingLR(o, T_max=40), cosine),
    (lambda o: sched.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
]


@pytest.mark.parametrize(("make", "form"), FORMS)
def test_closed_form(
    make: Callable[[Any], sched.LRScheduler], form: Callable[[int], float]
) -> None:
    opt = optimizer()
    schedule = make(opt)
    for t in range(EPOCHS):
        wanted = [0.1 * form(t), 0.02 * form(t)]
        # torch multiplies recursively, so the last bits drift from the closed form.
        assert schedule.get_last_lr() == pytest.approx(wanted, rel=1e-12)
        assert [group["lr"] for group in opt.param_groups] == schedule.get_last_lr()
        opt.step([np.ones(2), np.ones(1)])
        schedule.step()


@pytest.mark.parametrize("make", [form[0] for form in FORMS])
def test_resume_is_exact(make: Callable[[Any], sched.LRScheduler]) -> None:
    whole = make(optimizer())
    opt = optimizer()
    first = make(opt)
    for _ in range(7):
        whole.step()
        first.step()
    other = optimizer()
    second = make(other)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(opt.state_dict())
    for _ in range(9):
        whole.step()
        second.step()
        assert second.get_last_lr() == whole.get_last_lr()


@pytest.mark.parametrize("make", [form[0] for form in FORMS])
def test_a_bad_state_changes_nothing(make: Callable[[Any], sched.LRScheduler]) -> None:
    schedule = make(optimizer())
    schedule.step()
    before = schedule.state_dict()
    for bad in ({**before, "last_epoch": "two"}, {**before, "more": 1}, {"last_epoch": 2}):
        with pytest.raises(ValueError, match=r"last_epoch|state_dict|lr_lambdas"):
            schedule.load_state_dict(bad)
        assert schedule.state_dict() == before


def test_last_epoch_goes_on_from_the_groups() -> None:
    for make in (
        lambda o, last: sched.StepLR(o, 3, 0.5, last_epoch=last),
        lambda o, last: sched.ExponentialLR(o, 0.5, last_epoch=last),
        lambda o, last: sched.LambdaLR(o, lambda t: 1 / (1 + t), last_epoch=last),
    ):
        whole, opt = optimizer(), optimizer()
        one, two = make(whole, -1), make(opt, -1)
        for _ in range(4):
            one.step()
            two.step()
        resumed = make(opt, one.last_epoch - 1)  # constructing sets the rates of epoch 4 again
        for _ in range(4):
            assert resumed.get_last_lr() == one.get_last_lr()
            one.step()
            resumed.step()


def test_two_schedulers_chain() -> None:
    opt = optimizer()
    both = [sched.ExponentialLR(opt, gamma=0.9), sched.StepLR(opt, step_size=3, gamma=0.5)]
    for _ in range(7):
        for schedule in both:
            schedule.step()
    assert opt.param_groups[0]["lr"] == pytest.approx(0.1 * 0.9**7 * 0.25, rel=1e-12)


def test_sequential() -> None:
    opt = optimizer()
    warm = sched.LinearLR(opt, 0.5, 1.0, total_iters=4)
    then = sched.ExponentialLR(opt, gamma=0.5)
    schedule = sched.SequentialLR(opt, [warm, then], milestones=[4])
    seen = []
    for _ in range(7):
        seen.append(opt.param_groups[0]["lr"])
        schedule.step()
    assert seen == pytest.approx([0.05, 0.0625, 0.075, 0.0875, 0.1, 0.05, 0.025], rel=1e-12)


def test_one_cycle() -> None:
    opt = optimizer()
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
        (lambda o: sched.LinearLR(o, start_factor=0.0), "start_factor"),
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
