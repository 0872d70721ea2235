"""What ``help(ferrostep)`` begins with: the docstring, and a table of the classes."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ferrostep import optimizers


class Package(ModuleType):
    # Its docstring is made when it is asked for, and not at each import.
    if not TYPE_CHECKING:

        @property
        def __doc__(self):
            text = vars(self)["__doc__"]
            return text and text + table()


def table() -> str:
    """Return a line for each class that users make: the first of its docstring."""
    from ferrostep import averages, schedulers, wrappers

    rooms = {
        "Optimizers": optimizers,
        "Around an optimizer": wrappers,
        "Averages of weights, in `averages`": averages,
        "Schedulers, in `schedulers`": schedulers,
    }
    return "".join(
        f"\n{title}::\n\n{_lines(vars(room), room.__all__)}" for title, room in rooms.items()
    )


def _lines(found: dict[str, Any], names: Iterable[str]) -> str:
    classes = {found[name].__name__: found[name] for name in names}  # aliases are left out
    firsts = {name: cls.__doc__.splitlines()[0] for name, cls in classes.items()}
    width = max(map(len, firsts)) + 2
    return "".join(f"    {name:{width}}{first}\n" for name, first in firsts.items())
