"""What adapters share: a library that has to be installed, and those of ours that it can use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ferrostep import optimizers

#: The names of those that take gradients as other libraries' models have them: whole, of any shape.
OF_WHOLE_GRADIENTS = [
    name
    for name in optimizers.__all__
    if not (cls := getattr(optimizers, name)).ROWS_ONLY and not cls.MATRICES
]
#: Of these the ones whose state always has the shape of its parameter: some libraries keep it so.
OF_LIKE_STATE = [name for name in OF_WHOLE_GRADIENTS if not getattr(optimizers, name).FACTORS]


def no_attribute(module: str, name: str) -> AttributeError:
    """Return the error about a name that is not in an adapter of such a library."""
    shown = f"module {module!r} has no attribute {name!r}"
    if name in OF_WHOLE_GRADIENTS:
        shown += (
            "; its state has other shapes than the parameters, for which there is no place there"
        )
    return AttributeError(shown)


def library(name: str) -> Any:
    """Return a library; its extra has its name.

    Raises
    ------
    ImportError
        If it is not there, with the command that installs it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # something that the library needs
            raise
        raise ImportError(f"this needs {name}; pip install ferrostep[{name}]") from error
