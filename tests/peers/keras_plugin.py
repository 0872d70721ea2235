"""A plugin of pytest: our classes where Keras' own tests look for Keras'."""

from __future__ import annotations

import sys
from typing import Any

import keras
import pytest
from keras.src import optimizers as theirs

from ferrostep.compat import keras as ours
from ferrostep.compat.keras.optimizer import KerasOptimizer
from ferrostep.compat.keras.slots import SLOTS


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requires_trainable_backend: Keras' own")
    replaced = {getattr(keras.optimizers, name): getattr(ours, name) for name in SLOTS}
    if keras.config.backend() == "torch":
        _keep_torch_away()
    for name, module in [*sys.modules.items()]:
        if name.split(".")[0] == "keras":
            for key, value in [*vars(module).items()]:
                if isinstance(value, type) and value in replaced:
                    setattr(module, key, replaced[value])
    for name in SLOTS:
        theirs.ALL_OBJECTS_DICT[name.lower()] = getattr(ours, name)


def _keep_torch_away() -> None:
    """Keras makes classes for torch of its own there, and would of ours in their place."""
    from keras.src.backend.torch.optimizers import torch_optimizer

    new = torch_optimizer.TorchOptimizer.__new__
    new(theirs.Adam)  # imports them

    def ours_as_they_are(cls: type[Any], *args: Any, **kwargs: Any) -> Any:
        made: Any = object.__new__(cls) if issubclass(cls, KerasOptimizer) else new(cls)
        return made

    torch_optimizer.TorchOptimizer.__new__ = staticmethod(ours_as_they_are)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what Keras' conftest.py skips, which is not in its wheel."""
    reason = "Trainer not implemented for NumPy and OpenVINO backend."
    for item in items:
        if "requires_trainable_backend" in item.keywords and keras.config.backend() == "numpy":
            item.add_marker(pytest.mark.skip(reason=reason))
