"""Random things to give to a call, mostly right ones."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from cases import EVERY_CASE, own_options
from fuzzing.arrays import matching, spec
from fuzzing.holdings import ARRAYS, OPTIMIZERS
from fuzzing.odd import FLAGS, NAMES, POOLS, RATES, WRONG, Odd
from fuzzing.things import VIEWS, At, Many, Sneaky, SomeRows, StateOf
from fuzzing.world import World


def pool(name: str) -> tuple[Any, ...]:
    """Values for an option; one that has no pool is what it is in the cases, or another number."""
    if name in POOLS:
        return POOLS[name]
    options = [case.make(None).defaults for case in EVERY_CASE]
    known = tuple(given[name] for given in options if name in given)
    if isinstance(known[0], bool):
        return FLAGS
    return (*known, *RATES) if isinstance(known[0], float | int) else known


class Chooser:
    """Chooses what calls are given; which calls, `Caller` does."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def existing(self, world: World) -> Any:
        """An array that somebody has already."""
        if self.maybe(0.3):
            return StateOf(*(self.random.randrange(n) for n in (OPTIMIZERS, 3, 3)))
        return At(self.random.randrange(ARRAYS), self.random.choice(list(VIEWS)))

    def options(self, cls: Any) -> dict[str, Any]:
        random = self.random
        made: dict[str, Any] = {}
        if self.maybe(0.7):
            made.update(
                random.choice([case for case in EVERY_CASE if case.optimizer is cls]).options
            )
        names = [
            *own_options(cls),
            *("weight_decay", "decoupled_weight_decay", "maximize"),
            "flush_subnormals",
            "state_dtype",
            "nonfinite",
        ]
        for name in random.sample(names, random.choice((0, 0, 1, 1, 2, 5))):
            made[name] = self.value(name)
        if self.maybe(0.01):
            made[random.choice(("max_norm", "foreach", "backend"))] = random.choice(WRONG)
        return made

    def value(self, name: str) -> Any:
        return self.random.choice(WRONG) if self.maybe(0.04) else self.random.choice(pool(name))

    def some_options(self, cls: Any) -> dict[str, Any]:
        names = self.random.sample(own_options(cls), self.random.choice((0, 0, 1)))
        return {name: self.value(name) for name in names}

    def params(self, slots: Any) -> Many:
        random = self.random
        items = tuple(At(slot) for slot in slots)
        if self.maybe(0.03):
            items = (*items, random.choice((items[0], Odd(random.choice(NAMES)), At(0, "tail"))))
        kinds = ("list", "tuple", "generator", "dict", "dict", "pairs")
        kind = "single" if len(items) == 1 and self.maybe(0.4) else random.choice(kinds)
        names = tuple(f"w{i}" for i in range(len(items)))
        return Many(kind, items, names if not self.maybe(0.01) else (*names[:-1], 7))

    def gradient(self, world: World, slot: int, param: Any) -> Any:
        random = self.random
        chance = random.random()
        if chance < 0.08:
            return None
        if chance < 0.10:
            return Odd(random.choice(NAMES))
        if chance < 0.115:
            return self.existing(world)
        like = param.shape if isinstance(param, np.ndarray) else ()
        dtype = matching(param) if isinstance(param, np.ndarray) else None
        if chance < 0.12:
            call = self.sneaked(world, slot)
            return Sneaky(call, spec(random, like, dtype))
        if chance < 0.25 and like:
            return self.rows(world, like, dtype)
        return spec(random, like, dtype, wrong=0.008)

    def rows(self, world: World, like: tuple[int, ...], dtype: str | None) -> SomeRows:
        """A gradient of some rows of such a parameter, mostly."""
        random = self.random
        count = random.choice((0, 1, 1, 2, 3, 8)) if like[0] else 0
        indices: Any = [random.randrange(like[0]) for _ in range(count)]
        if self.maybe(0.03):
            indices = random.choice(([*indices, like[0]], [-1], [0.5], [True], [[0]], 0, None))
        if self.maybe(0.03):
            return SomeRows(indices, self.existing(world))
        return SomeRows(indices, spec(random, (count, *like[1:]), dtype, wrong=0.008))

    def gradients(self, world: World, slot: int, params: list[Any]) -> Any:
        random = self.random
        if self.maybe(0.01):
            return Odd(random.choice(NAMES))
        names = world.optimizers[slot]._names
        items = tuple(self.gradient(world, slot, param) for param in params)
        if self.maybe(0.01):
            items = items[:-1] if self.maybe(0.5) else (*items, None)
        if names is not None:
            return Many("dict" if not self.maybe(0.01) else "list", items, tuple(names))
        if len(items) == 1 and self.maybe(0.3):
            return Many("single", items)
        return Many(
            random.choice(("list", "list", "tuple")) if not self.maybe(0.01) else "generator", items
        )

    def sneaked(self, world: World, slot: int) -> tuple[Any, ...]:
        """A call for a gradient to make while it is read."""
        raise NotImplementedError

    def scaling(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.maybe(0.2):
            given["grad_scale"] = self.random.choice(
                (1.0, 0.5, -0.3, 2, np.float32(0.1), 1e-30, 1e30, 1 / 3)
            )
        if self.maybe(0.2):
            given["max_norm"] = self.random.choice(
                (1.0, 0.0, 0.1, float("inf"), 5, 1e-30, np.float64(2.0))
            )
        if self.maybe(0.01):
            given[self.random.choice(("grad_scale", "max_norm", "other"))] = self.random.choice(
                WRONG
            )
        return given

    def _beside(self, world: World, slot: int, at: list[int]) -> tuple[Any, ...]:
        return tuple(self.gradient(world, slot, world.arrays[i]) for i in at)
