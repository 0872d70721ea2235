"""Imports that wait until a name is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(
    package: str, *modules: str, hint: Callable[[str], str] = lambda name: "", **places: str
) -> Callable[[str], Any]:
    """Return a package's `__getattr__`: for modules in it, and for names with the module of each.

    `hint` returns the end of the error about any other name.

    It is none for type checkers, which would take it for a yes to every name.
    """

    def get(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in places:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}{hint(name)}",
                name=name,
                obj=sys.modules[package],
            )
        value = getattr(import_module(f"{package}.{places[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
