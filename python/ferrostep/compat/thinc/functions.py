"""thinc's functions that make an optimizer, with ours made."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import thinc.optimizers

from ferrostep.compat.thinc.optimizer import Optimizer

_ATTRIBUTES = thinc.optimizers.Optimizer.__slots__


def _ours(function: Callable[..., Any]) -> Callable[..., Optimizer]:
    """Return a function of thinc's arguments and defaults that makes our optimizer."""

    @wraps(function)
    def made(*args: Any, **kwargs: Any) -> Optimizer:
        theirs, ours = function(*args, **kwargs), Optimizer.__new__(Optimizer)
        for name in _ATTRIBUTES:
            if hasattr(theirs, name):
                setattr(ours, name, getattr(theirs, name))
        return ours

    made.__module__ = "ferrostep.compat.thinc"
    made.__doc__ = f"thinc's `{function.__name__}`, which makes an `Optimizer` of ferrostep."
    return made


Adam = _ours(thinc.optimizers.Adam)
RAdam = _ours(thinc.optimizers.RAdam)
SGD = _ours(thinc.optimizers.SGD)
