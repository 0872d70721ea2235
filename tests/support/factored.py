"""Runs of optimizers over parameters some of which have factors."""

from __future__ import annotations

from typing import Any

import numpy as np

import ferrostep as fs
from cases import Case
from support.arrays import Array, assert_same_bits, assert_same_state, gradients

#: One row, one column, longer than a register, than a leaf, stacks, nothing; and what is no matrix.
SHAPES = [
    *((1, 7), (7, 1), (5, 3), (3, 130), (2, 3, 5), (1, 2, 1, 4), (3, 4099), (4100, 2), (1, 1)),
    *((0, 3), (3, 0), (2, 0, 3), (), (1,), (70,)),
]


def inputs(dtype: Any, shapes: Any = SHAPES, steps: int = 3) -> tuple[list[Array], list[Any]]:
    rng = np.random.default_rng(2)
    start = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    return start, [[gradients(rng, shape, dtype) for shape in shapes] for _ in range(steps)]


def train(case: Case, start: Any, steps: Any, **more: Any) -> tuple[list[Array], fs.Optimizer]:
    params = [p.copy() for p in start]
    opt = case.make(params, **more)
    for grads in steps:
        opt.step(grads)
    return params, opt


def assert_same_run(found: Any, wanted: Any, what: str = "") -> None:
    for i, (p, q) in enumerate(zip(found[0], wanted[0], strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
    assert_same_state(found[1], wanted[1], what)
