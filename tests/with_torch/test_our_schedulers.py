"""Our schedulers beside torch's: the same rates and momenta to the bit, and each other's state."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler, swa_utils

import ferrostep as fs
from ferrostep import schedulers as sched

EPOCHS = 60

#: Makes a scheduler of either library: `at` has its classes.
Make = Callable[[Any, Any], Any]


class Theirs:
    """torch's schedulers, with the one that lives elsewhere."""

    def __getattr__(self, name: str) -> Any:
        return getattr(swa_utils if name == "SWALR" else lr_scheduler, name)


class Decay:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: int) -> float:
        return self.rate**x


def one(name: str, *args: Any, **options: Any) -> Make:
    return lambda at, opt: getattr(at, name)(opt, *args, **options)


def chained(*makes: Make) -> Make:
    return lambda at, opt: at.ChainedScheduler([make(at, opt) for make in makes])


def sequence(milestones: list[int], *makes: Make) -> Make:
    return lambda at, opt: at.SequentialLR(opt, [make(at, opt) for make in makes], milestones)


SCHEDULES: dict[str, Make] = {
    "LambdaLR": one("LambdaLR", [Decay(0.9), lambda t: 1 / (1 + t)]),
    "MultiplicativeLR": one("MultiplicativeLR", [Decay(0.99), lambda t: 0.7 if t % 3 else 1.1]),
    "StepLR": one("StepLR", 3, gamma=0.7),
    "MultiStepLR": one("MultiStepLR", [2, 5, 5, 20], gamma=0.3),
    "ConstantLR": one("ConstantLR", factor=0.3, total_iters=4),
    "ConstantLR, defaults": one("ConstantLR"),
    "LinearLR": one("LinearLR", 0.15, 0.8, total_iters=13),
    "LinearLR down": one("LinearLR", 1.0, 0.0, total_iters=7),
    "ExponentialLR": one("ExponentialLR", 0.9),
    "CosineAnnealingLR": one("CosineAnnealingLR", 7, eta_min=1e-3),
    "CosineAnnealingWarmRestarts": one("CosineAnnealingWarmRestarts", 3, 2, eta_min=1e-3),
    "CosineAnnealingWarmRestarts, equal": one("CosineAnnealingWarmRestarts", 7),
    "PolynomialLR": one("PolynomialLR", total_iters=41, power=0.9),
    "PolynomialLR, defaults": one("PolynomialLR"),
    "CyclicLR": one("CyclicLR", 0.01, [0.1, 0.3], step_size_up=3),
    "CyclicLR triangular2": one(
        "CyclicLR", 1e-3, 0.3, step_size_up=5, step_size_down=2, mode="triangular2"
    ),
    "CyclicLR exp_range": one("CyclicLR", 1e-3, 0.3, 4, mode="exp_range", gamma=0.97),
    "CyclicLR scale_fn": one("CyclicLR", 1e-3, 0.3, 4, scale_fn=Decay(0.7)),
    "CyclicLR iterations": one(
        "CyclicLR", 1e-3, 0.3, 4, scale_fn=Decay(0.97), scale_mode="iterations"
    ),
    "CyclicLR rate alone": one("CyclicLR", 1e-3, 0.3, 3, cycle_momentum=False),
    "OneCycleLR": one("OneCycleLR", 0.3, total_steps=EPOCHS + 1),
    "OneCycleLR linear": one(
        "OneCycleLR", 0.3, total_steps=90, anneal_strategy="linear", three_phase=True
    ),
    "SWALR": one("SWALR", 0.02),
    "SWALR linear": one("SWALR", [0.02, 0.5], anneal_epochs=7, anneal_strategy="linear"),
    "SWALR at once": one("SWALR", 0.02, anneal_epochs=0),
    "ChainedScheduler": chained(
        one("LinearLR", 0.4, total_iters=3), one("ExponentialLR", 0.8), one("StepLR", 5)
    ),
    "ChainedScheduler of restarts": chained(
        one("CosineAnnealingWarmRestarts", 3), one("MultiplicativeLR", lambda t: 0.9)
    ),
    "SequentialLR": sequence([4], one("LinearLR", 0.4, total_iters=3), one("ExponentialLR", 0.8)),
    "SequentialLR of three": sequence(
        [4, 20],
        one("ConstantLR", 0.1, total_iters=20),
        one("CosineAnnealingWarmRestarts", 3, 2),
        one("SWALR", 0.01),
    ),
}
NO_STATE = {"OneCycleLR", "OneCycleLR linear"}  # torch's has other keys; see the docstring


class Pair:
    """An optimizer of each library with the same two groups, and a scheduler of each."""

    def __init__(self, cls: str, name: str) -> None:
        options: Any = {"lr": 0.3, **({"momentum": 0.9} if cls == "SGD" else {})}
        params = [torch.zeros(2, requires_grad=True) for _ in range(2)]
        for param in params:
            param.grad = torch.ones(2)
        self.grads = [np.ones(2), np.ones(2)]
        groups = [[{"params": [p]} for p in each] for each in (params, [np.zeros(2), np.zeros(2)])]
        for group in groups:
            group[1]["lr"] = 0.07
        self.theirs = getattr(torch.optim, cls)(groups[0], **options)
        self.ours = getattr(fs, cls)(groups[1], **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of its own steps by epoch in SequentialLR
            self.schedule = SCHEDULES[name](Theirs(), self.theirs)
        self.our_schedule = SCHEDULES[name](sched, self.ours)

    def check(self) -> None:
        for key in ("lr", "momentum", "betas"):
            theirs = [group.get(key) for group in self.theirs.param_groups]
            assert theirs == [group.get(key) for group in self.ours.param_groups], key
        assert self.schedule.get_last_lr() == self.our_schedule.get_last_lr()

    def step(self) -> None:
        self.theirs.step()
        self.ours.step(self.grads)
        self.schedule.step()
        self.our_schedule.step()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cls", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates(name: str, cls: str) -> None:
    pair = Pair(cls, name)
    for _ in range(EPOCHS):
        pair.check()
        pair.step()
    pair.check()


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in NO_STATE])
def test_torch_s_state_is_taken_over(name: str) -> None:
    pair, begun = Pair("SGD", name), Pair("SGD", name)
    for _ in range(6):
        begun.step()
    state = copy.deepcopy(begun.schedule.state_dict())
    pair.theirs.load_state_dict(begun.theirs.state_dict())
    for group, other in zip(pair.ours.param_groups, begun.theirs.param_groups, strict=True):
        group.update({key: other[key] for key in ("lr", "momentum")})
    pair.schedule.load_state_dict(copy.deepcopy(state))
    pair.our_schedule.load_state_dict(state)
    for _ in range(20):
        pair.step()
        pair.check()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("t_mult", [1, 2, 3])
def test_warm_restarts_by_epoch(t_mult: int) -> None:
    """torch's logarithm puts some first epochs at the end of the cycle before; ours are there."""
    pair = Pair("SGD", "StepLR")
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(pair.theirs, 3, t_mult)
    ours = sched.CosineAnnealingWarmRestarts(pair.ours, 3, t_mult)
    firsts = [sum(3 * t_mult**i for i in range(n)) for n in range(8)]
    wrong = []
    for epoch in [*range(130), *firsts, 0.5, 17.25, 40.75, 2.999, 3.0]:
        theirs.step(epoch)
        ours.step(epoch)
        if theirs.T_cur == theirs.T_i:
            wrong.append(epoch)
            assert ours.T_cur == 0
        else:
            assert ours.get_last_lr() == theirs.get_last_lr(), epoch
            theirs.step()
            ours.step()
            assert ours.get_last_lr() == theirs.get_last_lr(), epoch
            assert ours.last_epoch == theirs.last_epoch
    assert set(wrong) <= set(firsts)


def test_every_name_of_torch_is_ours() -> None:
    wanted = {*lr_scheduler.__all__, "SWALR"}
    assert wanted <= set(sched.__all__)
