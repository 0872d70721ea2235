"""thinc, and so spaCy: its optimizers with our steps, and ours as thinc's.

    from ferrostep.compat.thinc import Adam     # in the place of thinc.api's
    optimizer = Adam(0.001)
    model.finish_update(optimizer)

`Optimizer`, `Adam`, `RAdam` and `SGD` are thinc's, to be used in their places. Every other
optimizer of ferrostep is there too, with thinc's call and what thinc does around a step; but for
Adafactor, whose state has other shapes than thinc's. In a
config file it is one word: ``@optimizers = "ferrostep.Adam.v1"`` in the place of ``"Adam.v1"``.
"""

from __future__ import annotations

from typing import Any

from ferrostep import optimizers
from ferrostep.compat.library import ONE_BY_ONE, library, missing

#: What thinc has a function for.
_FUNCTIONS = ("SGD", "Adam", "RAdam")
__all__ = sorted({"Optimizer", *_FUNCTIONS, *ONE_BY_ONE})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise missing(__name__, name)
    library("thinc")
    from ferrostep.compat.thinc import functions, optimizer, own

    if name == "Optimizer":
        return optimizer.Optimizer
    if name in _FUNCTIONS:
        return getattr(functions, name)
    return own.class_of(getattr(optimizers, name))


def __dir__() -> list[str]:
    return list(__all__)
