"""Every class of `torch.optim.lr_scheduler` drives ours as it drives torch's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from beside import OURS, compare, parameters, values

Schedule = Callable[[torch.optim.Optimizer], Any]


def chained(kind: str) -> Schedule:
    def make(opt: torch.optim.Optimizer) -> Any:
        parts = [
            lr_scheduler.LinearLR(opt, start_factor=0.4, total_iters=3),
            lr_scheduler.ExponentialLR(opt, gamma=0.8),
        ]
        if kind == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(parts, optimizer=opt)
        return lr_scheduler.SequentialLR(opt, parts, milestones=[4])

    return make


def of(name: str, **options: Any) -> Schedule:
    return lambda opt: getattr(lr_scheduler, name)(opt, **options)


SCHEDULES: dict[str, Schedule] = {
    "LambdaLR": of("LambdaLR", lr_lambda=lambda t: 0.9**t),
    "MultiplicativeLR": of("MultiplicativeLR", lr_lambda=lambda t: 0.9),
    "StepLR": of("StepLR", step_size=3, gamma=0.5),
    "MultiStepLR": of("MultiStepLR", milestones=[2, 5], gamma=0.5),
    "ConstantLR": of("ConstantLR", factor=0.3, total_iters=4),
    "LinearLR": of("LinearLR", total_iters=5),
    "ExponentialLR": of("ExponentialLR", gamma=0.9),
    "CosineAnnealingLR": of("CosineAnnealingLR", T_max=7),
    "CosineAnnealingWarmRestarts": of("CosineAnnealingWarmRestarts", T_0=3),
    "PolynomialLR": of("PolynomialLR", total_iters=9, power=2.0),
    "ReduceLROnPlateau": of("ReduceLROnPlateau", patience=1, factor=0.5),
    "CyclicLR": of("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=3),
    "OneCycleLR": of("OneCycleLR", max_lr=0.1, total_steps=10),
    "ChainedScheduler": chained("ChainedScheduler"),
    "SequentialLR": chained("SequentialLR"),
    "SWALR": lambda opt: SWALR(opt, swa_lr=0.02, anneal_epochs=4),
}


def test_none_is_left_out() -> None:
    found = {
        name
        for name, cls in inspect.getmembers(lr_scheduler, inspect.isclass)
        if issubclass(cls, lr_scheduler.LRScheduler) and not name.startswith("_")
    }
    assert found | {"SWALR"} == SCHEDULES.keys() | {"LRScheduler"}


def driven(name: str, kind: str, tensor: bool, **options: Any) -> None:
    rates: list[list[Any]] = []
    schedulers: dict[int, Any] = {}

    def make(cls: Any, params: list[torch.Tensor]) -> torch.optim.Optimizer:
        half = [{"params": params[::2]}, {"params": params[1::2], "lr": 0.07}]
        lr: Any = torch.tensor(0.03, dtype=torch.float64) if tensor else 0.03
        made: torch.optim.Optimizer = cls(half, lr=lr, foreach=False, **options)
        schedulers.clear()
        schedulers[id(made)] = SCHEDULES[kind](made)
        rates.append([])
        return made

    def between(t: int, optimizer: torch.optim.Optimizer) -> None:
        scheduler = schedulers[id(optimizer)]
        if t:
            scheduler.step(*([1.0] if kind == "ReduceLROnPlateau" else []))
        kept = ("lr", "momentum", "betas")
        rates[-1].append([float(g["lr"]) for g in optimizer.param_groups])
        rates[-1].append([g.get(k) for g in optimizer.param_groups for k in kept[1:]])

    compare(name, make, values(2), [values(20 + t) for t in range(9)], between=between)
    assert all(each == rates[0] for each in rates)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_with_momentum(kind: str) -> None:
    driven("SGD", kind, tensor=False, momentum=0.9)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_with_betas(kind: str) -> None:
    driven("AdamW", kind, tensor=False)


@pytest.mark.parametrize("kind", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR"])
def test_a_rate_that_is_a_tensor_is_changed_in_place(kind: str) -> None:
    driven("Adam", kind, tensor=True)


def test_a_tensor_of_rate_is_read_at_each_step() -> None:
    (p,) = parameters([torch.ones(3)], torch.float32)
    lr = torch.tensor(0.5)
    opt = OURS["SGD"]([p], lr=lr)
    for rate in (0.5, 0.25, 0.0):
        before = p.detach().clone()
        p.grad = torch.ones(3)
        lr.fill_(rate)
        opt.step()
        assert torch.equal(p.detach(), before - rate)


def test_no_warning_of_a_missing_step(recwarn: pytest.WarningsRecorder) -> None:
    """torch looks at a counter that its wrapped `step` raises, to warn of a wrong order."""
    (p,) = parameters([torch.ones(3)], torch.float32)
    opt = OURS["SGD"]([p], lr=0.1)
    scheduler = lr_scheduler.StepLR(opt, 1)
    for _ in range(3):
        p.grad = torch.ones(3)
        opt.step()
        scheduler.step()
    assert not recwarn.list
