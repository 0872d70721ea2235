"""A thousand random option sets of each class beside torch's: groups, schedules, no gradients."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

from beside import NAMES, compare, values

SETS = 1000
SHAPES: list[tuple[int, ...]] = [(), (5,), (2, 3), (19,)]
STEPS = 6


def power(random: Random, low: float, high: float) -> float:
    return float(10 ** random.uniform(low, high))


def sometimes(random: Random, value: Any, otherwise: Any) -> Any:
    return value if random.random() < 0.5 else otherwise


def options(name: str, random: Random) -> dict[str, Any]:
    """Return what a group may have, all of it at random."""
    made: dict[str, Any] = {
        "lr": power(random, -3, 0),
        "maximize": sometimes(random, True, False),
        "weight_decay": sometimes(random, power(random, -4, -1), 0.0),
    }
    momentum = sometimes(random, random.uniform(0.1, 0.99), 0.0)
    eps = power(random, -10, -4)
    if name == "SGD":
        nesterov = momentum > 0 and random.random() < 0.5
        dampening = 0.0 if nesterov else sometimes(random, random.uniform(0, 1), 0.0)
        return {**made, "momentum": momentum, "nesterov": nesterov, "dampening": dampening}
    if name == "RMSprop":
        centered, alpha = sometimes(random, True, False), random.uniform(0.5, 0.999)
        return {**made, "momentum": momentum, "centered": centered, "alpha": alpha, "eps": eps}
    if name in ("Adam", "AdamW", "NAdam", "Adamax", "RAdam"):
        made |= {"betas": (random.uniform(0, 0.99), random.uniform(0.5, 0.9999)), "eps": eps}
        if name == "NAdam":
            made["momentum_decay"] = power(random, -4, 0)
        if name in ("Adam", "NAdam", "RAdam"):
            made["decoupled_weight_decay"] = sometimes(random, True, False)
        if name in ("Adam", "AdamW"):
            made["amsgrad"] = sometimes(random, True, False)
        return made
    if name == "ASGD":
        t0 = sometimes(random, float(random.randrange(4)), 1e6)
        alpha = random.uniform(0.5, 1)
        return {**made, "lambd": power(random, -5, -1), "alpha": alpha, "t0": t0}
    if name == "Adagrad":
        lr_decay = sometimes(random, power(random, -3, 0), 0.0)
        return {**made, "lr_decay": lr_decay, "eps": eps}
    if name == "Adadelta":
        return {**made, "rho": random.uniform(0.5, 0.99), "eps": power(random, -7, -3)}
    del made["weight_decay"]  # Rprop has none
    etas = random.uniform(0.1, 0.9), random.uniform(1.05, 2)
    low = power(random, -6, -3)
    return {**made, "etas": etas, "step_sizes": (low, low * power(random, 1, 4))}


def check(name: str, seed: int) -> None:
    random = Random(f"{name} {seed}")
    groups = [options(name, random) for _ in range(random.choice([1, 2, 4]))]
    shared = options(name, random)
    if name == "Adagrad":  # torch takes it for all groups from the constructor
        shared["initial_accumulator_value"] = sometimes(random, random.random(), 0.0)
    named = random.random() < 0.3
    size = power(random, -3, 3)
    gradients = [
        [
            None if random.random() < 0.15 else size * g
            for g in values(random.randrange(2**32), SHAPES)
        ]
        for _ in range(STEPS)
    ]
    factors = [sometimes(random, random.uniform(0.5, 1.5), 1.0) for _ in range(STEPS)]

    def make(cls: Any, params: list[torch.Tensor]) -> torch.optim.Optimizer:
        each: list[Any] = [(f"p{i}", p) for i, p in enumerate(params)] if named else params
        parts = [{"params": each[i :: len(groups)], **group} for i, group in enumerate(groups)]
        made: torch.optim.Optimizer = cls(parts, **shared, foreach=False)
        return made

    def schedule(t: int, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:
            group["lr"] *= factors[t]

    compare(name, make, values(seed, SHAPES), gradients, between=schedule)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", range(10))
def test_random_options(name: str, part: int) -> None:
    for seed in range(part, SETS, 10):
        try:
            check(name, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
