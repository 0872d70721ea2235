"""What one of the two worlds holds: arrays, what is built of them, and what is compared."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

import ferrostep as fs
from fuzzing.arrays import Spec
from fuzzing.odd import Mine, Odd
from fuzzing.things import VIEWS, At, Many, Sneaky, SomeRows, StateOf
from support.arrays import arrays_in

ARRAYS, OPTIMIZERS = 6, 2
#: What the public API may raise; NonFiniteError is a ValueError.
DOCUMENTED = (ValueError, TypeError, AttributeError, Mine)


class _Sneak:
    def __init__(self, world: Holdings, sneaky: Sneaky) -> None:
        self.world, self.sneaky = world, sneaky

    def __array__(self, *_: Any, **__: Any) -> Any:
        self.world.call(self.sneaky.call)
        return self.sneaky.array.build()


class Holdings:
    """The arrays and optimizers of a world, and the calls that change arrays."""

    def __init__(self) -> None:
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
        raise NotImplementedError

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
        if isinstance(thing, SomeRows):
            return fs.Rows(self.build(thing.indices), self.build(thing.values))
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
        return [*arrays_in(state).values()]

    # Arrays.

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
