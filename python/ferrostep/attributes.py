"""Which attributes an optimizer lets its user set, and which its class."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ferrostep.spellings import hint, meant


def refuse_attribute(optimizer: Any, name: str, options: Collection[str]) -> None:
    """Raise AttributeError for what would be set and never read: a misspelt option, mostly.

    Properties decide for themselves, methods may be replaced (schedulers and hooks wrap `step`),
    and a class of the user's own has attributes of its own.
    """
    cls = type(optimizer)
    owner = next((base for base in cls.__mro__ if name in vars(base)), None)
    if owner is not None:
        found = vars(owner)[name]
        if hasattr(type(found), "__set__") or callable(getattr(cls, name)) or not _ours(owner):
            return
        raise AttributeError(
            f"{cls.__name__}.{name} belongs to the class", name=name, obj=optimizer
        )
    if _ours(cls) or meant(name, options):
        raise AttributeError(
            f"{cls.__name__!r} object has no attribute {name!r}{hint(name, options)}",
            name=name,
            obj=optimizer,
        )


def check_body(cls: type, options: Collection[str]) -> None:
    """Refuse a class body that hides an option behind something that cannot be one."""
    for name, value in vars(cls).items():
        if hasattr(type(value), "__set__"):  # an option, or a property of the user's
            continue
        if name in options:
            raise TypeError(
                f"{cls.__name__}.{name} would hide the option of that name; for another default "
                f"give it a type as well, for another check write Option(check)"
            )
        if meant(name, options) and not callable(value):
            raise TypeError(f"{cls.__name__}.{name} would not be read{hint(name, options)}")


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "ferrostep"
