"""Which attributes an optimizer lets its user set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferrostep.spellings import hint, meant


def refuse_attribute(optimizer: Any, name: str) -> None:
    """Raise AttributeError for what would be set and never read: a misspelt option, mostly.

    Properties decide for themselves, methods may be replaced (schedulers and hooks wrap `step`),
    and a class of the user's own has attributes of its own.
    """
    cls = type(optimizer)
    checks: Mapping[str, Any] = cls.CHECKS
    owner = next((base for base in cls.__mro__ if name in vars(base)), None)
    if owner is not None:
        found = vars(owner)[name]
        if hasattr(type(found), "__set__") or callable(getattr(cls, name)) or not _ours(owner):
            return
        raise AttributeError(
            f"{cls.__name__}.{name} belongs to the class", name=name, obj=optimizer
        )
    if _ours(cls) or meant(name, checks):
        raise AttributeError(
            f"{cls.__name__!r} object has no attribute {name!r}{hint(name, checks)}",
            name=name,
            obj=optimizer,
        )


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "ferrostep"
