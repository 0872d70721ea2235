"""A library that has to be installed for what is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any


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
