"""What adapters share: a library that has to be installed, and those of ours that it can use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ferrostep import optimizers
from ferrostep.evaluated import ScheduleFree
from ferrostep.optimizer import Optimizer


def _unfit(cls: type[Optimizer]) -> str:
    """Say what keeps a class from other libraries' models."""
    if cls.ROWS_ONLY:
        return "its gradients are Rows"
    if cls.MATRICES:
        return "it steps matrices alone"
    if issubclass(cls, ScheduleFree):
        return "its parameters are to be evaluated after eval(), which nobody calls there"
    return ""


#: The names of those that other libraries' models can have: their gradients are whole and of any
#: shape, and their parameters at all times what is evaluated.
FITTING = [name for name in optimizers.__all__ if not _unfit(getattr(optimizers, name))]
#: Those of them whose state always has the shape of its parameter: some libraries keep it so.
OF_LIKE_STATE = [name for name in FITTING if not getattr(optimizers, name).FACTORS]
#: Those of these whose parameters may also come one by one.
ONE_BY_ONE = [name for name in OF_LIKE_STATE if not getattr(optimizers, name).WHOLE_MODEL]


def missing(module: str, name: str) -> AttributeError:
    """Return the error of a name that is not there."""
    why = _unfit(getattr(optimizers, name)) if name in optimizers.__all__ else ""
    if name in OF_LIKE_STATE:
        why = "its sums are over all parameters, which come one by one there"
    elif name in FITTING:
        why = "its state has other shapes than the parameters, for which there is no place there"
    told = f"; {why}" if why else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{told}")


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
