"""Keras 3: classes in the place of `keras.optimizers`', stepped by our core.

    from ferrostep.compat.keras import AdamW       # a keras.optimizers.AdamW, stepped by our core
    model.compile(optimizer=AdamW(1e-3), loss="mse")

Every optimizer of ferrostep that takes whole gradients is here, but for Adafactor, whose state has
other shapes than Keras' slots. Those that Keras has too are
subclasses of Keras': its arguments, defaults, errors, schedules, clipping, averages, slot variables
and files, and our step. The NumPy and torch backends are updated in place; values of JAX are copied
out and in.
"""

from __future__ import annotations

import sys
from typing import Any

from ferrostep import optimizers
from ferrostep.compat.library import OF_LIKE_STATE, library, missing

__all__ = [*OF_LIKE_STATE]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise missing(__name__, name)
    try:
        library("keras")
    except ModuleNotFoundError as error:
        # Keras imports its backend at once.
        raise ImportError(
            f"keras needs {error.name} for its backend; install it, or set the environment "
            "variable KERAS_BACKEND to torch, jax, or numpy (which needs jax too) before "
            "keras is imported"
        ) from error
    from ferrostep.compat.keras.classes import classes

    return classes()[getattr(optimizers, name).__name__]


def __dir__() -> list[str]:
    return list(__all__)


if "keras" in sys.modules:  # whose load_model then knows them
    __getattr__("SGD")
