"""A class for each optimizer of the registry: Keras' of that name, if there is one; our step."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any

import keras

from ferrostep import optimizers
from ferrostep.compat.keras.optimizer import KerasOptimizer, OwnOptimizer
from ferrostep.compat.keras.slots import SLOTS, row_of_ours, slots_of_ours
from ferrostep.compat.library import OF_LIKE_STATE
from ferrostep.optimizer import Optimizer
from ferrostep.presets.keras import ROWS
from ferrostep.presets.row import Row

_DOC = """{name} for Keras' variables: {what}, stepped by ferrostep.

Parameters
----------
{arguments}
    As those of {like}.
weight_decay, clipnorm, use_ema, ...
    As all optimizers of Keras have them.

Raises
------
ValueError, TypeError
    If an argument is out of its bounds.

Examples
--------
>>> from ferrostep.compat.keras import {name}  # doctest: +SKIP
>>> model.compile(optimizer={name}(0.01), loss="mse")  # doctest: +SKIP
"""


@cache
def classes() -> dict[str, type[KerasOptimizer]]:
    """Return all of them, by the names of ours; Keras finds each when it reads a file."""
    if not hasattr(keras.optimizers.Optimizer, "_backend_update_step"):
        raise ImportError(
            f"keras must be 3.15 or one that steps as it does, found {keras.__version__}; "
            "pip install ferrostep[keras]"
        )
    ours = {getattr(optimizers, name) for name in OF_LIKE_STATE}
    return {cls.__name__: _class_of(cls) for cls in sorted(ours, key=lambda cls: cls.__name__)}


def _class_of(ours: type[Optimizer]) -> type[KerasOptimizer]:
    """Return the class that stands for one of ours among Keras'."""
    name = ours.__name__
    row = next((row for row in ROWS.values() if row.name.lower() == name.lower()), None)
    if row is None:
        bases: tuple[Any, ...] = (OwnOptimizer,)
        row, what = row_of_ours(ours), "ferrostep's own"
        shown, like = _signature(row), f"ferrostep.{name}"
    else:
        like = f"keras.optimizers.{row.name}"
        theirs = getattr(keras.optimizers, row.name)
        bases, what = (KerasOptimizer, theirs), f"a subclass of {like}"
        shown = signature(theirs)
    body = {
        "__module__": "ferrostep.compat.keras",
        "__doc__": _DOC.format(name=name, what=what, arguments=", ".join(row.defaults), like=like),
        "__signature__": shown,
        "_row": row,
        "_known_step": bases[-1].update_step,
        "_slots": SLOTS.get(row.name) or slots_of_ours(ours._schema()),
    }
    made: type[KerasOptimizer] = type(name, bases, body)
    keras.saving.register_keras_serializable("ferrostep")(made)
    return made


def _signature(row: Row) -> Signature:
    named = Parameter.KEYWORD_ONLY
    own = [Parameter(name, named, default=value) for name, value in row.defaults.items()]
    common = [Parameter(name, named, default=value) for name, value in row.common.items()]
    first = own[0].replace(kind=Parameter.POSITIONAL_OR_KEYWORD)
    return Signature([first, *own[1:], *common])
