"""Keys of parameters that come one by one: what is kept of them, and what they are called."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain(key: Any) -> Any:
    """Return a key as Python's own str, int or tuple, where it is equal to such a one."""
    made = _made_plain(key)
    return made if made == key and hash(made) == hash(key) else key


def _made_plain(key: Any) -> Any:
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int | np.integer | np.bool):
        return int(key)
    return tuple(map(plain, key)) if type(key) is tuple else key


def name_of(key: Any) -> str:
    """Return what errors and state dicts call the parameter of a key."""
    return str.__str__(key) if isinstance(key, str) else str.__str__(repr(key))


def check(key: Any) -> None:
    """Refuse a key that would not be known again when it was saved."""
    if not _is_savable(key):
        raise TypeError(
            f"a key of state that is saved must be a str, an int or a tuple of these, found "
            f"{key!r}; give the parameter such a key in update_one()"
        )


def _is_savable(key: Any) -> bool:
    return type(key) in (str, int) or (type(key) is tuple and all(map(_is_savable, key)))
