"""Steps of copies: where values are not in memory of ours, or are no variables' own.

JAX keeps its values from being written; in a stateless scope they are those of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ferrostep.compat.keras.layout import Layout, Rule, load, remembered, set_rate

#: The values of variables, of slots and of what is remembered.
Kept = tuple[list[Any], list[dict[str, Any]], list[dict[str, Any]]]


def step(
    assign: Callable[[Any, Any], None],
    layout: Layout,
    rule: Rule,
    gradients: Mapping[int, Any],
    rate: Any,
    steps: Any,
) -> None:
    """Assign to variables and slots what they are after a step; gradients by ids of variables."""
    params = [variable.value for variable in layout.variables]
    states, numbers = (
        [{name: slot.value for name, slot in slots.items()} for slots in each]
        for each in (layout.slots, layout.numbers)
    )
    dense = []
    for variable in layout.variables:
        gradient = keras.ops.convert_to_tensor(gradients[id(variable)], sparse=False)
        if tuple(gradient.shape) != tuple(variable.shape):
            raise ValueError(
                f"the gradient of variable {variable.path} has shape {tuple(gradient.shape)}, "
                f"wanted {tuple(variable.shape)}"
            )
        if "complex" in str(gradient.dtype):
            raise TypeError(
                f"the gradient of variable {variable.path} must be real, found {gradient.dtype}"
            )
        dense.append(keras.ops.cast(gradient, variable.dtype))

    def stepped(*given: Any) -> Any:
        return _stepped(layout, rule, *given)

    call = _called_by_jax if _is_traced([params, states, dense, rate, steps]) else _called
    kept = (params, states, numbers)
    params, states, numbers = call(stepped, kept, dense, rate, steps)
    for variable, value in zip(layout.variables, params, strict=True):
        assign(variable, value)
    places, values = [*layout.slots, *layout.numbers], [*states, *numbers]
    for slots, new in zip(places, values, strict=True):
        for name, slot in slots.items():
            assign(slot, new[name])


def _stepped(
    layout: Layout, rule: Rule, kept: Kept, gradients: list[Any], rate: Any, steps: Any
) -> Kept:
    params, states, numbers = kept
    arrays = [np.array(value) for value in params]
    state = [{name: np.array(value) for name, value in each.items()} for each in states]
    known = [{name: float(value) for name, value in each.items()} for each in numbers]
    opt = layout.optimizer(rule, arrays)
    load(opt, state, known, int(steps))
    set_rate(opt, float(rate))
    opt.step([np.asarray(gradient) for gradient in gradients])
    now = [
        {name: np.asarray(x, old[name].dtype) for name, x in each.items()}
        for each, old in zip(remembered(opt), numbers, strict=True)
    ]
    return arrays, state, now


def _is_traced(values: Any) -> bool:
    """Whether JAX compiles what is called, before there are any numbers."""
    if keras.config.backend() != "jax":
        return False
    import jax

    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def _called(stepped: Callable[..., Any], *given: Any) -> Any:
    return stepped(*keras.tree.map_structure(keras.ops.convert_to_numpy, given))


def _called_by_jax(stepped: Callable[..., Any], kept: Kept, *more: Any) -> Any:
    """Call when there are numbers, as often as what is compiled now runs."""
    import jax

    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), kept)
    more = jax.tree.map(keras.ops.convert_to_tensor, more)
    return jax.pure_callback(stepped, shapes, kept, *more)
