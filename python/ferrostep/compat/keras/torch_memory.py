"""Variables of Keras' torch backend as arrays of the same memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from torch.autograd.graph import increment_version

from ferrostep.compat.torch.memory import array_of, place_of


def place(variable: Any) -> Any:
    return place_of(variable._value)


def array(variable: Any) -> Any:
    tensor = variable._value
    if tensor.device.type != "cpu":
        raise TypeError(
            f"variable {variable.path} must be on the CPU, found {tensor.device}; set the "
            "environment variable KERAS_TORCH_DEVICE=cpu, or use Keras' own class"
        )
    return array_of(tensor, f"variable {variable.path}")


def gradient(given: Any, variable: Any) -> Any:
    tensor = keras.ops.convert_to_tensor(given)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        tensor = tensor.to(variable._value.dtype)
    label = f"the gradient of variable {variable.path}"
    return array_of(tensor.detach().resolve_neg(), label)


def written(variables: Iterable[Any]) -> None:
    """Let torch see that they were written."""
    increment_version([variable._value for variable in variables])
