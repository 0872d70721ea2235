"""The one table of cases: every general property is tested over all of it.

A new option set is a new row here; nothing else needs to be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import ferrostep as fs


def own_options(cls: type[fs.Optimizer]) -> list[str]:
    """The options that a class has besides those of every class."""
    return [name for name in cls._schema().fields if name not in fs.Optimizer._schema().fields]


@dataclass(frozen=True)
class Case:
    """A class with an option set that takes a path of its own."""

    name: str
    optimizer: type[fs.Optimizer]
    options: dict[str, Any]

    def make(self, params: Any, **more: Any) -> fs.Optimizer:
        return self.optimizer(params, **{**self.options, **more})


def _case(optimizer: type[fs.Optimizer], **options: Any) -> Case:
    text = ",".join(f"{name}={value}" for name, value in options.items())
    return Case(f"{optimizer.__name__}({text})".replace(" ", ""), optimizer, options)


CASES = [
    _case(fs.SGD, lr=0.1),
    _case(fs.SGD, lr=0.1, weight_decay=0.05, maximize=True),
    _case(fs.SGD, lr=0.1, momentum=0.9),
    _case(fs.SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    _case(fs.SGD, lr=0.1, momentum=0.9, nesterov=True, flush_subnormals=True),
    _case(fs.Momentum),
    _case(fs.Momentum, nesterov=True, weight_decay=0.01),
    _case(fs.AdaptiveGains),
    _case(fs.AdaptiveGains, beta=0.2, min_gain=0.5, max_gain=1.5, weight_decay=0.1),
    _case(fs.AdaptiveGains, momentum=0.8),
    _case(fs.AdaptiveGains, momentum=0.5, compare="velocity", beta=0.2, max_gain=float("inf")),
    _case(fs.Rprop),
    _case(fs.Rprop, lr=0.1, etas=(0.4, 1.5), step_sizes=(0.05, 0.5), weight_decay=0.1),
    _case(fs.RMSprop),
    _case(fs.RMSprop, eps_inside_sqrt=True, initial_accumulator_value=1.0),
    _case(fs.RMSprop, centered=True, weight_decay=0.05),
    _case(fs.RMSprop, centered=True, eps_inside_sqrt=True),
    _case(fs.RMSprop, momentum=0.9),
    _case(fs.RMSprop, momentum=0.9, eps_inside_sqrt=True, maximize=True),
    _case(fs.RMSprop, momentum=0.9, centered=True, weight_decay=0.05),
    _case(fs.RMSprop, momentum=0.9, centered=True, eps_inside_sqrt=True),
    _case(fs.Adagrad),
    _case(fs.Adagrad, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
    _case(fs.Adagrad, eps_inside_sqrt=True, eps=1e-7, maximize=True),
    _case(fs.Adadelta),
    _case(fs.Adadelta, lr=0.5, rho=0.8, eps=1e-5, weight_decay=0.1),
    _case(fs.Adam),
    _case(fs.Adam, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-6),
    _case(fs.Adam, weight_decay=0.1, decoupled_weight_decay=True, maximize=True),
    _case(fs.Adam, amsgrad=True, flush_subnormals=True),
    _case(fs.Adam, bias_correction=False),
    _case(fs.Adam, epsilon_hat=True, eps=1e-7),
    _case(fs.AdamW),
    _case(fs.AdamW, amsgrad=True, weight_decay=0.3),
    _case(fs.SGD, lr=0.1, momentum=0.9, state_dtype="bfloat16", weight_decay=0.01),
    _case(fs.RMSprop, momentum=0.9, centered=True, state_dtype="float16"),
    _case(fs.Rprop, lr=0.1, state_dtype="bfloat16"),
    _case(fs.Adam, state_dtype="bfloat16", weight_decay=0.1),
    _case(fs.AdamW, state_dtype="float16", amsgrad=True, flush_subnormals=True),
]

DTYPES = [np.float32, np.float64]
#: Computed in float32.
LOW_PRECISION = [np.float16, ml_dtypes.bfloat16]

#: Every case with every type of parameter that it goes with.
RUNS = [
    (case, dtype)
    for case in CASES
    for dtype in [*DTYPES, *LOW_PRECISION]
    if dtype is not np.float64 or "state_dtype" not in case.options
]
RUN_IDS = [f"{case.name}-{np.dtype(dtype).name}" for case, dtype in RUNS]
