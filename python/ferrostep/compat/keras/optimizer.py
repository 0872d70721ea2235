"""A Keras optimizer whose step is ours: what all classes here share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras.src.backend.common.stateless_scope import in_stateless_scope

from ferrostep.compat.keras import copied
from ferrostep.compat.keras.in_place import InPlace
from ferrostep.compat.keras.layout import Layout, Rule
from ferrostep.compat.keras.slots import PLAIN, initial, number_type
from ferrostep.presets.row import Row


class KerasOptimizer(keras.optimizers.Optimizer):
    """Schedules, clipping, averages, accumulation, slots and files are Keras', the step is ours."""

    _row: ClassVar[Row]
    #: The lists of slots by the names of our state.
    _slots: ClassVar[Mapping[str, str]]
    #: Keras' `update_step`, in whose place ours is.
    _known_step: ClassVar[Any]
    _inner: InPlace | None = None
    #: The arguments that `_rule` was made of.
    _seen: tuple[Any, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._check()

    def _check(self) -> None:
        """Tell at once what is out of bounds."""
        rule = self._rule(1.0)
        rule.ours(None, **rule.options)

    def _arguments(self) -> dict[str, Any]:
        names = [name for name in self._row.defaults if name != "learning_rate"]
        return {name: getattr(self, name) for name in (*names, "weight_decay")}

    def _rule(self, rate: float) -> Rule:
        given, row = self._arguments(), self._row
        if row.name == "SGD" and not given["momentum"]:
            row = PLAIN
        known = {n: x for n, x in given.items() if n in row.arguments and n not in row.refused}
        return Rule(row.cls, row.options({**known, "learning_rate": rate}))

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        super().exclude_from_weight_decay(var_list, var_names)
        self._inner = None

    def _is_theirs(self) -> bool:
        """Whether Keras' own step does it: with an argument that asks for numbers that ours cannot
        have, or where `update_step` is the user's."""
        row = self._row
        known = getattr(self.update_step, "__func__", None) is type(self)._known_step
        return not known or any(getattr(self, name) != row.only(name) for name in row.refused)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        if self._is_theirs():  # it is part of our step
            super()._apply_weight_decay(variables)

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        if self._is_theirs():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        gradients = {id(v): g for v, g in zip(trainable_variables, grads, strict=True)}
        if len(gradients) != len(grads):
            ids = [*map(id, trainable_variables)]
            twice = next(v.path for v in trainable_variables if ids.count(id(v)) > 1)
            raise ValueError(f"variable {twice} is given twice; add up its gradients")
        memory = None if in_stateless_scope() else _memory()
        if memory is not None:
            self._shared(memory).step(
                trainable_variables, grads, float(learning_rate), int(self.iterations)
            )
            return
        rule = self._rule(1.0)
        if rule.ours.WHOLE_MODEL and len(grads) < len(self._ours()):
            raise ValueError(
                f"{self.name} learns from all variables: they must all have gradients where Keras "
                f"has copies of them, found {len(grads)} of {len(self._ours())}; give zeros"
            )
        layout = self._layout(trainable_variables, rule)
        copied.step(self.assign, layout, rule, gradients, learning_rate, self.iterations)

    def _ours(self) -> list[Any]:
        every = self._trainable_variables
        return [v for v in every if not self._overwrite_variable_with_gradient(v)]

    def _shared(self, memory: Any) -> InPlace:
        seen = tuple(self._arguments().values())
        if self._inner is None or seen != self._seen:
            rule = self._rule(1.0)
            self._inner = InPlace(memory, self._layout(self._ours(), rule), rule)
            self._seen = seen
        return self._inner

    def _layout(self, variables: Sequence[Any], rule: Rule) -> Layout:
        ordered = sorted(variables, key=lambda v: not self._use_weight_decay(v))
        decaying = sum(map(self._use_weight_decay, variables))
        needed = initial(rule.ours, rule.options)
        kept: dict[str, Any] = {n: getattr(self, self._slots[n], None) for n in needed}
        for name, found in kept.items():
            if found is None or (isinstance(found, list) and not found):
                raise ValueError(
                    f"{self.name} must have slots for {name}, found none; an option that needs "
                    "them was set after build(), make another optimizer"
                )
        memory = {name: kept.pop(name) for name in rule.ours._schema().memory}
        places = [self._get_variable_index(v) for v in ordered]
        slots, numbers = (
            [{n: x[i] if isinstance(x, list) else x for n, x in of.items()} for i in places]
            for of in (kept, memory)
        )
        return Layout(ordered, slots, numbers, decaying)


class OwnOptimizer(KerasOptimizer):
    """One that Keras does not have: our options in Keras' words, and Keras' own beside them."""

    def __init__(self, learning_rate: Any = None, **options: Any) -> None:
        defaults = self._row.defaults
        rate = defaults["learning_rate"] if learning_rate is None else learning_rate
        own = {name: options.pop(name, value) for name, value in defaults.items()}
        keras.optimizers.Optimizer.__init__(self, rate, **options)
        for name, value in own.items():
            if name != "learning_rate":
                # JSON has lists for pairs
                setattr(self, name, tuple(value) if isinstance(value, list) else value)
        self._check()

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        rule = self._rule(float(self.learning_rate))
        memory = rule.ours._schema().memory
        for name, value in initial(rule.ours, rule.options).items():
            add = self._add_numbers if name in memory else self.add_optimizer_variables
            made = add(variables, name, keras.initializers.Constant(value))
            setattr(self, self._slots[name], made)

    def _add_numbers(self, variables: Sequence[Any], name: str, first: Any) -> list[Any]:
        """Make a variable for a number that the rule remembers of each."""
        paths = [v.path.replace("/", "_") for v in variables]
        kind = number_type()
        return [self.add_variable((), first, kind, name=f"{path}_{name}") for path in paths]

    def get_config(self) -> dict[str, Any]:
        own = [name for name in self._row.defaults if name != "learning_rate"]
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _memory() -> Any:
    """Return how the backend's variables are arrays of ours; None if they are not."""
    name = keras.config.backend()
    if name == "numpy":
        from ferrostep.compat.keras import numpy_memory

        return numpy_memory
    if name == "torch":
        from ferrostep.compat.keras import torch_memory

        return torch_memory
    return None
