"""One of the two worlds: arrays, optimizers, and the calls that a session makes on them."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from typing import Any

import numpy as np

import ferrostep as fs
from ferrostep import _native, clip, schedulers
from fuzzing.arrays import Spec
from fuzzing.damage import mangled
from fuzzing.odd import CLASSES, Mine, Odd
from fuzzing.things import VIEWS, At, Many, Sneaky, StateOf
from interrupts import interrupted_at

ARRAYS, OPTIMIZERS = 6, 2
#: What the public API may raise; NonFiniteError is a ValueError.
DOCUMENTED = (ValueError, TypeError, AttributeError, Mine)
#: What may stand in a group.
GROUP = {
    "params",
    "param_names",
    "initial_lr",
    *(name for cls in CLASSES for name in cls._schema().checks),
}
BY_NAME = {cls.__name__: cls for cls in CLASSES}
CLIPS = {name: getattr(clip, name) for name in clip.__all__}
SCHEDULES = {
    "step": lambda o: schedulers.StepLR(o, step_size=2, gamma=0.5),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, T_max=5),
    "exponential": lambda o: schedulers.ExponentialLR(o, gamma=0.9),
    "linear": lambda o: schedulers.LinearLR(o),
    "cycle": lambda o: schedulers.OneCycleLR(o, max_lr=0.5, total_steps=9),
}


class _Sneak:
    def __init__(self, world: World, sneaky: Sneaky) -> None:
        self.world, self.sneaky = world, sneaky

    def __array__(self, *_: Any, **__: Any) -> Any:
        self.world.call(self.sneaky.call)
        return self.sneaky.array.build()


class World:
    """Runs calls; `backend` is that of every optimizer made."""

    def __init__(self, backend: str | None) -> None:
        self.backend = backend
        self.arrays: list[Any] = [None] * ARRAYS
        self.optimizers: list[Any] = [None] * OPTIMIZERS
        self.schedulers: list[Any] = [None] * OPTIMIZERS
        #: What came to each optimizer's last step or update that was not refused; a refused one
        #: must not even let an array go.
        self.params: list[Any] = [None] * OPTIMIZERS
        self.grads: list[Any] = [None] * OPTIMIZERS
        #: Arrays that others are views of: NumPy itself would leave those dangling at a resize.
        self.viewed: list[Any] = []

    def call(self, call: tuple[Any, ...]) -> tuple[Any, ...]:
        """Make one call and return what came of it, in a form that compares."""
        name, *arguments = call
        try:
            return ("done", _plain(getattr(self, name)(*arguments)))
        except DOCUMENTED as error:
            return ("refused", type(error).__name__, re.sub(r"0x[0-9a-f]+", "0x", str(error)))

    def build(self, thing: Any) -> Any:
        if isinstance(thing, Spec | Odd):
            return thing.build()
        if isinstance(thing, At):
            array = self.arrays[thing.slot]
            if array is None or thing.view == "itself":
                return array
            self._pin(array)
            return VIEWS[thing.view](array)
        if isinstance(thing, StateOf):
            arrays = self._state_arrays(thing.optimizer, thing.parameter)
            return arrays[thing.array % len(arrays)] if arrays else None
        if isinstance(thing, Sneaky):
            return _Sneak(self, thing)
        if isinstance(thing, Many):
            return self._structure(thing)
        return copy.deepcopy(thing) if isinstance(thing, list | dict | np.ndarray) else thing

    def _structure(self, many: Many) -> Any:
        items = [self.build(item) for item in many.items]
        match many.kind:
            case "list":
                return items
            case "tuple":
                return tuple(items)
            case "single":
                return items[0]
            case "generator":
                return iter(items)
            case "dict":
                return dict(zip(many.names, items, strict=False))
            case "pairs":
                return list(zip(many.names, items, strict=False))
        raise AssertionError(many.kind)

    def _pin(self, array: Any) -> None:
        owner = array if array.base is None else array.base
        if not any(owner is known for known in self.viewed):
            self.viewed.append(owner)

    def _state_arrays(self, optimizer: int, parameter: int) -> list[Any]:
        opt = self.optimizers[optimizer]
        states = [] if opt is None else list(opt.state.values())
        if not states:
            return []
        state = states[parameter % len(states)]
        return [array for name, array in state.items() if name != "step"]

    # The calls.

    def array(self, slot: int, spec: Any) -> None:
        self.arrays[slot] = self.build(spec)

    def alias(self, slot: int, at: Any) -> None:
        found = self.build(at)
        if isinstance(found, np.ndarray):
            self.arrays[slot] = found

    def touch(self, slot: int, how: str, spec: Spec) -> None:
        if isinstance(self.arrays[slot], np.ndarray):
            self._touch(self.arrays[slot], how, spec)

    def touch_state(self, at: StateOf, how: str, spec: Spec) -> None:
        found = self.build(at)
        if found is not None:
            self._touch(found, how, spec)

    def _touch(self, array: Any, how: str, spec: Spec) -> None:
        """Change an array behind everybody's back; what NumPy refuses is left as it is."""
        try:
            match how:
                case "read-only":
                    array.setflags(write=False)
                case "writable":
                    array.setflags(write=True)
                case "fill":
                    array[...] = np.resize(spec.build(), array.shape)
                case "flat":
                    array.shape = (array.size,)
                case "split":
                    array.shape = (array.size // 2, 2)
                case "integers":
                    array.dtype = f"i{array.itemsize}"
                # To unpickle a swapped bfloat16 array swaps the one dtype of all (ml_dtypes 0.6).
                case "swapped" if array.dtype.kind != "V":
                    array.dtype = array.dtype.newbyteorder()
                case "floats":
                    array.dtype = spec.dtype
                case "shorter" | "longer":
                    if array.flags.writeable and not any(array is a for a in self.viewed):
                        by = -1 if how == "shorter" else 3
                        array.resize(max(array.size + by, 0), refcheck=False)
                        array[...] = 0.5  # NumPy clears what it adds, but not to an empty array
        except (ValueError, TypeError, AttributeError):
            pass

    def make(self, slot: int, name: str, params: Any, options: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in options.items()}
        params = self._groups(params) if isinstance(params, list) else self.build(params)
        self.optimizers[slot] = BY_NAME[name](params, **{"backend": self.backend, **given})
        self.schedulers[slot] = None

    def _groups(self, groups: list[Any]) -> list[Any]:
        return [{key: self.build(value) for key, value in group.items()} for group in groups]

    def step(self, slot: int, grads: Any, scaling: dict[str, Any]) -> Any:
        built = self.build(grads)
        done = self._step(slot, built, scaling)
        self.grads[slot] = None if "Sneaky" in repr(grads) else built
        return done

    def update(self, slot: int, params: Any, grads: Any, scaling: dict[str, Any]) -> Any:
        built = self.build(grads)
        done = self._update(slot, params, built, scaling)
        self.params[slot], self.grads[slot] = params, None if "Sneaky" in repr(grads) else built
        return done

    def again(self, slot: int, scaling: dict[str, Any]) -> Any:
        """With the very gradients of the last time."""
        if self.optimizers[slot]._bound:
            return self._step(slot, self.grads[slot], scaling)
        return self._update(slot, self.params[slot], self.grads[slot], scaling)

    def _step(self, slot: int, grads: Any, scaling: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in scaling.items()}
        return self.optimizers[slot].step(grads, **given)

    def _update(self, slot: int, params: Any, grads: Any, scaling: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in scaling.items()}
        return self.optimizers[slot].update(self.build(params), grads, **given)

    def interrupted(self, slot: int, call: tuple[Any, ...], event: int) -> None:
        """With an interrupt at one of its moments: then all of it was done, or it is done now."""
        opt = self.optimizers[slot]
        outcome: list[Any] = []

        def counts() -> list[Any]:
            return [opt.skipped_steps, *(entry["step"] for entry in opt.state.values())]

        before = counts()
        interrupted_at(event, lambda: outcome.append(self.call(call)))
        if not outcome and counts() == before:
            self.call(call)

    def raced(self, slot: int, call: tuple[Any, ...]) -> Any:
        """By two threads at a time: each makes it once, and one waits for the other."""
        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda: found.append(self.call(call)), daemon=True)
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return sorted(map(repr, found))

    def option(self, slot: int, group: int, name: Any, value: Any) -> None:
        groups = self.optimizers[slot].param_groups
        if groups:
            groups[group % len(groups)][name] = self.build(value)

    def set(self, slot: int, name: str, value: Any) -> None:
        """Through a property: in all groups, or in none."""
        setattr(self.optimizers[slot], name, self.build(value))

    def edit(self, slot: int, group: int, how: str) -> None:
        """Do to the groups what must be done by `add_param_group`, or undo an option."""
        groups = self.optimizers[slot].param_groups
        if not groups:
            return
        chosen = groups[group % len(groups)]
        match how:
            case "append":
                groups.append(dict(chosen))
            case "pop":
                groups.pop()
            case "replace":
                groups[group % len(groups)] = dict(chosen)
            case "no lr":
                chosen.pop("lr", None)
            case "no params":
                chosen.pop("params", None)
            case "other params":
                chosen["params"] = [np.ones(3)]
            case "fewer params":
                chosen["params"] = list(chosen.get("params", ()))[:-1]
            case "tidy":
                for key in [key for key in chosen if key not in GROUP]:
                    del chosen[key]
            case "reorder":
                first = next(iter(chosen), None)
                if first is not None:
                    chosen[first] = chosen.pop(first)
            case "in place":
                for value in chosen.values():
                    if isinstance(value, list) and value and isinstance(value[0], float):
                        value[0] /= 2

    def add(self, slot: int, group: Any) -> None:
        given = self._groups([group])[0] if isinstance(group, dict) else self.build(group)
        self.optimizers[slot].add_param_group(given)

    def load(self, slot: int, source: int, mangles: tuple[Any, ...]) -> None:
        saved = copy.deepcopy(self.optimizers[source].state_dict())
        for path, how, value in mangles:
            saved = mangled(saved, path, how, self.build(value))
        self.optimizers[slot].load_state_dict(saved)

    def copied(self, slot: int, to: int, how: str) -> None:
        opt = self.optimizers[slot]
        if how == "copy":
            made = copy.copy(opt)
        elif how == "deepcopy":
            made = copy.deepcopy(opt)
        else:
            try:
                text = pickle.dumps(opt)
            except (pickle.PicklingError, TypeError, AttributeError):
                return  # something of the user's in a group
            made = pickle.loads(text)
        self.optimizers[to], self.schedulers[to] = made, None

    def rebind(self, slot: int, params: Any) -> None:
        built = self.build(params)
        self.optimizers[slot].rebind(built)
        self.params[slot] = params

    def snapshot(self, slot: int) -> Any:
        """A state dict is of its moment, whatever is stepped later."""
        saved = self.optimizers[slot].state_dict()
        live = self.optimizers[slot].state_dict(copy=False)
        for entry, now in zip(saved["state"].values(), live["state"].values(), strict=True):
            for name, value in entry.items():
                assert name == "step" or not np.shares_memory(value, now[name])
        return len(saved["state"])

    def reset(self, slot: int) -> None:
        self.optimizers[slot].reset()

    def drop(self, slot: int) -> None:
        self.arrays[slot] = None

    def threads(self, n: Any) -> None:
        fs.set_num_threads(n)

    def tier(self, name: Any) -> None:
        _native.set_simd_tier(name)

    def clip(self, name: str, structure: Any, *bound: Any) -> Any:
        return CLIPS[name](self.build(structure), *(self.build(x) for x in bound))

    def schedule(self, slot: int, name: str) -> None:
        self.schedulers[slot] = SCHEDULES[name](self.optimizers[slot])

    def tick(self, slot: int) -> None:
        if self.schedulers[slot] is not None:
            self.schedulers[slot].step()

    def look(self, slot: int) -> Any:
        """Read what users read; nothing of it may fail."""
        opt = self.optimizers[slot]
        return (
            len(repr(opt)) > 0,
            list(opt.state),
            [sorted(entry) for entry in opt.state.values()],
            opt.skipped_steps,
            len(opt.param_groups),
            opt.nonfinite,
        )

    # What is compared.

    def holdings(self) -> list[tuple[Any, Any]]:
        """All arrays in an order that depends on the session alone, and what else is kept."""
        held: list[tuple[Any, Any]] = [(None, array) for array in self.arrays]
        for opt in self.optimizers:
            if opt is None:
                continue
            held.append((opt._skipped, None))
            held += [(None, param) for param in opt._parameters()]
            for key, entry in opt.state.items():
                held.append((key, None))
                for name, value in entry.items():
                    # What waits for parameters may be anything.
                    array = isinstance(value, np.ndarray)
                    held.append((name, value) if array else (repr(value), None))
        return held

    def options(self) -> list[Any]:
        """What a call that is refused leaves as it was: options by value, the rest by identity.

        NumPy's numbers give way to plain ones when they are read.
        """
        return [
            [
                (id(group), [(key, _option(opt, key, value)) for key, value in group.items()])
                for group in opt.param_groups
            ]
            for opt in self.optimizers
            if opt is not None
        ]


def _option(opt: fs.Optimizer, key: Any, value: Any) -> object:
    try:
        return repr(opt._schema().checks[key](key, value))
    except (KeyError, *DOCUMENTED):
        return id(value)


def _plain(outcome: Any) -> Any:
    if isinstance(outcome, fs.StepInfo):
        return (outcome.applied, repr(outcome.grad_norm))
    return repr(outcome) if isinstance(outcome, float) else outcome
