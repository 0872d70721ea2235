"""An object of the user's that cannot be shown."""

from __future__ import annotations


class Sour:
    def __repr__(self) -> str:
        raise ValueError("of the user's")
