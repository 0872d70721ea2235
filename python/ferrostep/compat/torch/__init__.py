"""torch: classes in the place of `torch.optim`'s, and state dicts that move both ways.

    from ferrostep.compat.torch import AdamW       # a real torch.optim.AdamW, stepped by our core
    opt = AdamW(model.parameters(), lr=1e-3)

Every optimizer of ferrostep is here. Those that torch has too are subclasses of torch's: its
options, defaults, errors, groups, hooks, schedulers and checkpoints, and our step. `to_torch` and
`load_state_dict` are for optimizers of arrays.
"""

from __future__ import annotations

from typing import Any

from ferrostep import optimizers
from ferrostep.compat.library import library
from ferrostep.compat.torch.exchange import load_state_dict, to_torch

__all__ = ["load_state_dict", "to_torch", *optimizers.__all__]


def __getattr__(name: str) -> Any:
    if name not in optimizers.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    library("torch")
    from ferrostep.compat.torch.classes import class_of

    return class_of(getattr(optimizers, name))


def __dir__() -> list[str]:
    return list(__all__)
