"""SparseAdam takes `Rows` alone, and has the bits of Adam with its corrections before eps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits, assert_same_state, gradients

STEPS: list[Callable[[fs.SparseAdam, Any, Any], Any]] = [
    lambda opt, p, g: opt.update({"w": p}, {"w": g}),
    lambda opt, p, g: opt.updated({"w": p}, {"w": g}),
    lambda opt, p, g: opt.update_one("w", p, g),
    lambda _, p, g: fs.SparseAdam({"w": p}).step({"w": g}),
    lambda _, p, g: fs.SparseAdam({"w": p}, backend="reference").step({"w": g}),
    lambda _, p, g: fs.SparseAdam({"w": p})._prepare({"w": g}),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_bits_of_adam(dtype: str) -> None:
    rng = np.random.default_rng(8)
    start = rng.standard_normal((40, 9)).astype(dtype)
    options: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-4}
    sparse = fs.SparseAdam([start.copy()], **options)
    adam = fs.Adam([start.copy()], epsilon_hat=True, **options)
    for _ in range(5):
        rows = fs.Rows(rng.integers(0, 40, 30), gradients(rng, (30, 9), dtype))
        sparse.step([rows], max_norm=3.0)
        adam.step([rows], max_norm=3.0)
    assert_same_bits(sparse._parameters()[0], adam._parameters()[0])
    assert_same_state(sparse, adam)


@pytest.mark.parametrize("step", STEPS)
def test_a_whole_gradient_is_refused(step: Callable[[fs.SparseAdam, Any, Any], Any]) -> None:
    opt, p = fs.SparseAdam(), np.ones((3, 2))
    message = r"gradient of parameter 'w' must be Rows, found ndarray; give fs.Rows\(indices, val"
    for _ in range(2):
        with pytest.raises(TypeError, match=message):
            step(opt, p, np.ones((3, 2)))
        assert (p == 1).all()
        assert not opt.state
        with pytest.raises(TypeError, match=message):
            step(opt, p, np.ones(1))  # whatever else is wrong with it


def test_after_rows_too() -> None:
    p, q = np.ones((3, 2)), np.ones((3, 2))
    opt = fs.SparseAdam([p, q], lr=0.5)
    rows = fs.Rows([1], np.ones((1, 2)))
    for _ in range(3):
        opt.step([rows, None])
    now = p.copy()
    with pytest.raises(TypeError, match="gradient of parameter 1 must be Rows"):
        opt.step([rows, np.ones((3, 2))])
    assert_same_bits(p, now)
    assert opt.state[0]["step"] == 3
    assert list(opt.state) == [0]


def test_no_weight_decay() -> None:
    message = r"weight_decay value: 0\.1 \(weight_decay must be a zero; Adam with Rows"
    with pytest.raises(ValueError, match=message):
        fs.SparseAdam([np.ones(2)], weight_decay=0.1)
    opt = fs.SparseAdam([np.ones((2, 1))])
    with pytest.raises(ValueError, match=message):
        opt.weight_decay = 0.1
    opt.param_groups[0]["weight_decay"] = 0.1
    with pytest.raises(ValueError, match=message):
        opt.step([fs.Rows([0], np.ones((1, 1)))])
