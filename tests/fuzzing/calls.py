"""Random calls, chosen for the world as it is: mostly right, so that wrong ones meet a state."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from cases import CLASSES, own_options
from fuzzing.arrays import FLOATS, Spec, spec
from fuzzing.choose import Chooser
from fuzzing.holdings import ARRAYS, OPTIMIZERS
from fuzzing.kinds import CALLS, COPIES, EDITS, MANGLES, TOUCHES
from fuzzing.odd import NAMES, WRONG, Odd
from fuzzing.things import At, Many, StateOf
from fuzzing.world import CLIPS, SCHEDULES, World
from support.arrays import TIERS


class Caller(Chooser):
    """Chooses the next call of a session."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.names, self.weights = list(CALLS), list(CALLS.values())

    def next(self, world: World) -> tuple[Any, ...]:
        random = self.random
        slot = random.randrange(OPTIMIZERS)
        name = random.choices(self.names, self.weights)[0]
        if name in ("array", "alias", "touch", "drop", "clip", "threads", "tier", "make"):
            return getattr(self, name)(world, slot)
        if world.optimizers[slot] is None:
            return self.make(world, slot)
        return getattr(self, name)(world, slot)

    # Arrays.

    def array(self, world: World, _: int) -> tuple[Any, ...]:
        what = (
            Odd(self.random.choice(("structured", "longdouble")))
            if self.maybe(0.01)
            else spec(self.random)
        )
        return ("array", self.random.randrange(ARRAYS), what)

    def alias(self, world: World, _: int) -> tuple[Any, ...]:
        return ("alias", self.random.randrange(ARRAYS), self.existing(world))

    def touch(self, world: World, _: int) -> tuple[Any, ...]:
        random = self.random
        return ("touch", random.randrange(ARRAYS), random.choice(TOUCHES), spec(random, wrong=0))

    def drop(self, world: World, _: int) -> tuple[Any, ...]:
        return ("drop", self.random.randrange(ARRAYS))

    def touch_state(self, world: World, slot: int) -> tuple[Any, ...]:
        random = self.random
        at = StateOf(slot, random.randrange(3), random.randrange(3))
        return ("touch_state", at, random.choice(TOUCHES), spec(random, wrong=0))

    # Optimizers.

    def make(self, world: World, slot: int) -> tuple[Any, ...]:
        random = self.random
        cls = random.choice(CLASSES)
        params: Any
        if self.maybe(0.25):
            params = None
        elif self.maybe(0.02):
            params = Odd(random.choice(NAMES))
        elif self.maybe(0.25):
            slots = random.sample(range(ARRAYS), random.choice((2, 3)))
            params = [{"params": self.params((at,)), **self.some_options(cls)} for at in slots]
        else:
            params = self.params(random.sample(range(ARRAYS), random.choice((1, 1, 2, 3))))
        for at in range(ARRAYS):
            if world.arrays[at] is None:  # there must be something to begin with
                return ("array", at, spec(random, dtype=random.choice(FLOATS), wrong=0.01))
        return ("make", slot, cls.__name__, params, self.options(cls))

    def step(self, world: World, slot: int) -> tuple[Any, ...]:
        opt = world.optimizers[slot]
        if not opt._bound and not self.maybe(0.02):
            return self.update(world, slot)
        return ("step", slot, self.gradients(world, slot, opt._parameters()), self.scaling())

    def again(self, _: World, slot: int) -> tuple[Any, ...]:
        return ("again", slot, self.scaling() if self.maybe(0.2) else {})

    def update(self, world: World, slot: int) -> tuple[Any, ...]:
        random = self.random
        opt = world.optimizers[slot]
        if opt._bound and not self.maybe(0.02):
            return self.step(world, slot)
        count, known = len(opt._parameters()), world.params[slot]
        items = known.items if isinstance(known, Many) else ()
        slots = [at.slot for at in items if isinstance(at, At)]
        if not count or len(slots) != count or self.maybe(0.02):
            slots = random.sample(range(ARRAYS), random.choice((1, 1, 2)))
        at = slots
        views = [random.choice(("itself", "itself", "itself", "whole")) for _ in at]
        items = tuple(At(slot, view) for slot, view in zip(at, views, strict=True))
        names = opt._names
        if not count and self.maybe(0.4):
            names = [f"w{i}" for i in range(len(at))]
        grads: Any
        if names is not None:
            params = Many("dict", items, tuple(names))
            grads = Many("dict", self._beside(world, slot, at), tuple(names))
        else:
            kind = "single" if len(items) == 1 and self.maybe(0.3) else "list"
            params, grads = Many(kind, items), Many(kind, self._beside(world, slot, at))
        return ("update", slot, params, grads, self.scaling())

    def interrupted(self, world: World, slot: int) -> tuple[Any, ...]:
        call = self.update(world, slot)
        return ("interrupted", slot, call, self.random.choice((1, 2, 3, 5, 9, 20, 50)))

    def raced(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("raced", slot, self.update(world, slot))

    def option(self, world: World, slot: int) -> tuple[Any, ...]:
        random = self.random
        cls = type(world.optimizers[slot])
        name = random.choice(
            (
                *own_options(cls),
                "lr",
                "lr",
                "weight_decay",
                "maximize",
                "flush_subnormals",
                "state_dtype",
            )
        )
        if self.maybe(0.02):
            return (
                "option",
                slot,
                random.randrange(3),
                random.choice(("extra", "_extra", "name", 3, "params")),
                random.choice(WRONG),
            )
        return ("option", slot, random.randrange(3), name, self.value(name))

    def set(self, world: World, slot: int) -> tuple[Any, ...]:
        if self.maybe(0.02):
            return ("set", slot, self.random.choice(("learning_rate", "state", "x")), 0.1)
        names = (*type(world.optimizers[slot])._schema().checks, "lr", "lr", "nonfinite")
        name = self.random.choice(names)
        return ("set", slot, name, self.value(name))

    def edit(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("edit", slot, self.random.randrange(3), self.random.choice(EDITS))

    def add(self, world: World, slot: int) -> tuple[Any, ...]:
        if self.maybe(0.05):
            return ("add", slot, Odd(self.random.choice(NAMES)))
        at = self.random.sample(range(ARRAYS), self.random.choice((1, 1, 2)))
        group = {"params": self.params(at), **self.some_options(type(world.optimizers[slot]))}
        if self.maybe(0.05):
            group[self.random.choice(("param_names", "extra", "initial_lr"))] = self.random.choice(
                WRONG
            )
        return ("add", slot, group)

    def load(self, world: World, slot: int) -> tuple[Any, ...]:
        random = self.random
        source = slot if self.maybe(0.7) else random.randrange(OPTIMIZERS)
        if world.optimizers[source] is None:
            source = slot
        count = random.choice((0, 1, 1, 1, 2))
        mangles = tuple(
            (
                tuple(random.randrange(8) for _ in range(random.choice((1, 2, 3, 3)))),
                random.choice(MANGLES),
                random.choice(WRONG) if self.maybe(0.7) else spec(random, wrong=0.3),
            )
            for _ in range(count)
        )
        return ("load", slot, source, mangles)

    def copied(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("copied", slot, self.random.randrange(OPTIMIZERS), self.random.choice(COPIES))

    def rebind(self, world: World, slot: int) -> tuple[Any, ...]:
        opt = world.optimizers[slot]
        count = len(opt._parameters()) or 1
        kind = "list" if opt._names is None else "dict"
        items: list[Any] = [At(self.random.randrange(ARRAYS), "itself") for _ in range(count)]
        for i, param in enumerate(opt._parameters()):
            if param is not None and self.maybe(0.8):
                name = "bfloat16" if param.dtype.kind == "V" else param.dtype.str
                items[i] = Spec(name, param.shape, "c", self.random.randrange(5000))
        if self.maybe(0.05):
            items.pop()
        names = tuple(opt._names or ())
        return ("rebind", slot, Many(kind, tuple(items), names))

    def replace(self, world: World, slot: int) -> tuple[Any, ...]:
        random, opt = self.random, world.optimizers[slot]
        layouts = opt._layouts() or [((3,), "float32")]
        i = random.randrange(len(layouts))
        shape, dtype = layouts[i]
        index, new = None, shape
        if shape:
            new = (random.choice((0, 1, 2, 3, 7, shape[0], shape[0] + 1)), *shape[1:])
            if self.maybe(0.7):
                low, high = (-2, shape[0]) if self.maybe(0.02) else (-1, max(shape[0] - 1, -1))
                index = [random.randint(low, high) for _ in range(new[0])]
        kind = dtype if dtype == "bfloat16" else random.choice("<>") + np.dtype(dtype).str[1:]
        array = spec(random, new, wrong=0.03)
        if not self.maybe(0.03):
            array = array._replace(dtype=kind)
        keys = opt._keys()
        name = keys[i] if keys and not self.maybe(0.02) else random.choice((0, "w0", -1, None))
        given = self.existing(world) if self.maybe(0.04) else array
        return ("replace", slot, name, given, random.choice(WRONG) if self.maybe(0.02) else index)

    def remove(self, world: World, slot: int) -> tuple[Any, ...]:
        if len(world.optimizers[slot].param_groups) < 2 and self.maybe(0.8):
            return self.add(world, slot)
        return ("remove", slot, self.random.choice((0, 0, 1, -1, -1, 2, -2, None, 1.0)))

    def snapshot(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("snapshot", slot)

    def reset(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("reset", slot)

    def look(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("look", slot)

    def schedule(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("schedule", slot, self.random.choice(list(SCHEDULES)))

    def tick(self, world: World, slot: int) -> tuple[Any, ...]:
        return ("tick", slot)

    def sneaked(self, world: World, slot: int) -> tuple[Any, ...]:
        calls = (self.touch, self.option, self.set, self.edit, self.step, self.load)
        return self.random.choice(calls)(world, slot)

    # The rest.

    def threads(self, world: World, _: int) -> tuple[Any, ...]:
        return ("threads", self.random.choice((1, 2, 3, 0, -1, True, 1.5, None, 7)))

    def tier(self, world: World, _: int) -> tuple[Any, ...]:
        return ("tier", self.random.choice((*TIERS, *TIERS, "none", "", 3)))

    def clip(self, world: World, _: int) -> tuple[Any, ...]:
        random = self.random
        name = random.choice(list(CLIPS))
        items = tuple(
            self.existing(world) if self.maybe(0.3) else spec(random)
            for _ in range(random.choice((1, 2)))
        )
        structure = (
            Odd(random.choice(NAMES))
            if self.maybe(0.1)
            else Many(random.choice(("list", "single")), items)
        )
        if name == "global_norm":
            return ("clip", name, structure)
        return (
            "clip",
            name,
            structure,
            random.choice(WRONG if self.maybe(0.1) else (1.0, 0.0, 2, float("inf"))),
        )
