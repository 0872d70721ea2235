"""Steps of copies: where values are not in memory of ours, or are no variables' own.

JAX keeps its values from being written; in a stateless scope they are those of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from ferrostep.compat.keras.layout import Layout, Rule, load, set_rate


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
    states = [{name: slot.value for name, slot in slots.items()} for slots in layout.slots]
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
    params, states = call(stepped, params, states, dense, rate, steps)
    for variable, value in zip(layout.variables, params, strict=True):
        assign(variable, value)
    for slots, values in zip(layout.slots, states, strict=True):
        for name, slot in slots.items():
            assign(slot, values[name])


def _stepped(
    layout: Layout,
    rule: Rule,
    params: list[Any],
    states: list[dict[str, Any]],
    gradients: list[Any],
    rate: Any,
    steps: Any,
) -> tuple[list[Any], list[dict[str, Any]]]:
    arrays = [np.array(value) for value in params]
    state = [{name: np.array(value) for name, value in each.items()} for each in states]
    opt = layout.optimizer(rule, arrays)
    load(opt, state, int(steps))
    set_rate(opt, float(rate))
    opt.step([np.asarray(gradient) for gradient in gradients])
    return arrays, state


def _is_traced(values: Any) -> bool:
    """Whether JAX compiles what is called, before there are any numbers."""
    if keras.config.backend() != "jax":
        return False
    import jax

    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def _called(stepped: Callable[..., Any], *given: Any) -> Any:
    return stepped(*keras.tree.map_structure(keras.ops.convert_to_numpy, given))


def _called_by_jax(stepped: Callable[..., Any], params: Any, states: Any, *more: Any) -> Any:
    """Call when there are numbers, as often as what is compiled now runs."""
    import jax

    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (params, states))
    more = jax.tree.map(keras.ops.convert_to_tensor, more)
    return jax.pure_callback(stepped, shapes, params, states, *more)
