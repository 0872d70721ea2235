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
#: Those of them whose parameters may also come one by one.
ONE_BY_ONE = [name for name in OF_WHOLE_GRADIENTS if not getattr(optimizers, name).WHOLE_MODEL]


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
