"""An optimizer of Keras and ours in its place, side by side on the same gradients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ferrostep.compat import keras as ours

SHAPES = ((), (3,), (2, 5), (0, 4), (1, 1, 7))
#: Arguments of Keras' classes, several of each.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-4, "amsgrad": True}),
    ("Adam", {"weight_decay": 0.01}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.7, "epsilon": 1e-3, "centered": True, "weight_decay": 0.01}),
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "weight_decay": 0.01}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.7, "weight_decay": 0.01}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.7, "beta_2": 0.8, "weight_decay": 0.01}),
    ("Lamb", {}),
    ("Lamb", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-4}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-4, "weight_decay": 0.01}),
]
#: Keras computes in float32, float64 variables too (but on tensorflow). Adam's 1 - 0.999**t has an
#: error of 6e-5 at first, of which the root goes into a step: 3e-5 of at most 0.05, six times.
BOUND = 1e-5
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]


def variables(dtype: str, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [
        keras.Variable(rng.normal(size=shape).astype(dtype), dtype=dtype, name=f"v{i}")
        for i, shape in enumerate(SHAPES)
    ]


def gradients(dtype: str, step: int) -> list[Any]:
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def tensors(dtype: str, step: int) -> list[Any]:
    """The same as the backend has them."""
    return [keras.ops.convert_to_tensor(g, dtype=dtype) for g in gradients(dtype, step)]


def _path(variable: Any) -> str:
    """Nadam's product has no name, and Keras then counts."""
    return re.sub(r"^variable(_\d+)?$", "variable", variable.path)


class Pair:
    """Both, built on variables of the same values."""

    def __init__(self, name: str, options: Mapping[str, Any], dtype: str = "float32") -> None:
        self.dtype = dtype
        self.optimizers = [
            getattr(module, name)(name="opt", **options) for module in (keras.optimizers, ours)
        ]
        self.variables = [variables(dtype) for _ in self.optimizers]
        for optimizer, own in zip(self.optimizers, self.variables, strict=True):
            optimizer.build(own)

    def run(self, steps: int, start: int = 0) -> None:
        for step in range(start, start + steps):
            for optimizer, own in zip(self.optimizers, self.variables, strict=True):
                optimizer.apply(tensors(self.dtype, step), own)

    def compare(self, bound: float) -> None:
        """Weights and slots must be as near as `bound`, and counts the same."""
        theirs, mine = self.optimizers
        assert [*map(_path, theirs.variables)] == [*map(_path, mine.variables)]
        pairs = [*zip(*self.variables, strict=True)]
        pairs += [*zip(theirs.variables, mine.variables, strict=True)]
        for wanted, found in pairs:
            assert wanted.dtype == found.dtype
            np.testing.assert_allclose(
                np.asarray(found.numpy(), np.float64),
                np.asarray(wanted.numpy(), np.float64),
                rtol=bound,
                atol=bound,
                err_msg=wanted.path,
            )
