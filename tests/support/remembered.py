"""Runs of the classes that remember numbers, in float64 where all bits count."""

from __future__ import annotations

from typing import Any

import numpy as np

import ferrostep as fs
from cases import CLASSES
from support.arrays import assert_same_bits, assert_same_state, numbers_in

REMEMBERING = [cls for cls in CLASSES if cls._schema().memory]
SHAPES = {"w": (3, 2), "b": (5,)}


def params() -> dict[str, Any]:
    return {name: np.linspace(-1, 1, int(np.prod(s))).reshape(s) for name, s in SHAPES.items()}


def grads(t: int) -> dict[str, Any]:
    rng = np.random.default_rng(t)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def made(cls: Any, ps: Any = None) -> fs.Optimizer:
    opt: fs.Optimizer = cls(params() if ps is None else ps, lr=0.1)
    return opt


def stepped(cls: Any, count: int) -> fs.Optimizer:
    opt = made(cls)
    for t in range(count):
        opt.step(grads(t))
    return opt


def same(found: fs.Optimizer, wanted: fs.Optimizer) -> None:
    for p, q in zip(found._parameters(), wanted._parameters(), strict=True):
        assert_same_bits(p, q)
    assert_same_state(found, wanted)


def memory(opt: fs.Optimizer, key: Any) -> dict[str, float]:
    return {name: x for name, x in numbers_in(opt.state[key]).items() if name != "step"}
