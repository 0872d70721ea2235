"""A class for each optimizer of the registry: torch's of that name, if there is one; our step."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any

import torch

from ferrostep.compat.torch.evaluated import EvaluatedOptimizer
from ferrostep.compat.torch.optimizer import TorchOptimizer
from ferrostep.evaluated import ScheduleFree
from ferrostep.optimizer import Optimizer
from ferrostep.presets.torch import ALIKE, ROWS, TORCH

_DOC = """{name} for torch's tensors: {what}, stepped in place by ferrostep.

Parameters
----------
params
    As torch takes them: tensors, named tensors, or groups of these. float16, bfloat16, float32 or
    float64, with any strides, on the CPU, or on CUDA devices by way of CuPy.
{theirs}foreach, fused
    Taken, and without meaning.

What ferrostep's {name} has beside these (`state_dtype`, `nonfinite`, ...) goes by name.

Raises
------
ValueError, TypeError
    If an option is out of its bounds, a parameter cannot be updated in place, or `capturable` or
    `differentiable` is True.

Examples
--------
>>> import torch  # doctest: +SKIP
>>> from ferrostep.compat.torch import {name}  # doctest: +SKIP
>>> opt = {name}({params}, lr=0.01)  # doctest: +SKIP
"""


@cache
def class_of(ours: type[Optimizer]) -> type[TorchOptimizer]:
    """Return the class that stands for one of ours among torch's."""
    name = ours.__name__
    # Where names differ torch's class would take options that mean nothing to ours.
    theirs = None if name in ROWS.keys() - ALIKE.keys() else getattr(torch.optim, name, None)
    base = EvaluatedOptimizer if issubclass(ours, ScheduleFree) else TorchOptimizer
    bases: tuple[type, ...] = (base,) if theirs is None else (base, theirs)
    what = "ferrostep's own" if theirs is None else f"a subclass of torch.optim.{name}"
    options = "" if theirs is None else f"lr, ...\n    As those of torch.optim.{name}.\n"
    matrices = "[p for p in model.parameters() if p.ndim == 2]"
    params = matrices if ours.MATRICES else "model.parameters()"
    body = {
        "__module__": "ferrostep.compat.torch",
        "__doc__": _DOC.format(name=name, what=what, theirs=options, params=params),
        "__signature__": _signature(ours, theirs),
        "_ours": ours,
        "_theirs": theirs,
    }
    return type(name, bases, body)


def _signature(ours: type[Optimizer], theirs: Any) -> Signature:
    """Return torch's signature, and what is ours beside it, by name."""
    mine, named = dict(signature(ours).parameters), Parameter.KEYWORD_ONLY
    first = Parameter("params", Parameter.POSITIONAL_OR_KEYWORD)
    known = {**mine, "params": first} if theirs is None else dict(signature(theirs).parameters)
    more = [p for name, p in mine.items() if name not in known]
    more += [Parameter(name, named, default=None) for name in sorted(TORCH.ignored - known.keys())]
    every = [*known.values(), *(p.replace(kind=named) for p in more)]
    return Signature([p for p in every if p.name != "missing"])
