"""What a state factory may return: the rest is refused, and nothing is touched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits
from support.programs import Run, digest, gradients, made


def wrong(make: Callable[[Any, np.dtype], Any], second: bool = True) -> fs.Optimizer:
    """An optimizer whose factory is right at first, and then returns what `make` makes."""
    calls = []

    def factory(key: Any, name: str, like: Any, dtype: np.dtype) -> Any:
        calls.append(name)
        right = second and len(calls) == 1
        return np.empty_like(like, dtype) if right else make(like, dtype)

    return made(fs.Adam, state_factory=factory)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p, d: np.empty(5, d), ValueError, r'_sq" .* from state_factory has shape \(5,\)'),
        (lambda p, d: np.empty(p.shape), TypeError, "dtype float64, wanted .* dtype float32"),
        (lambda p, d: np.empty(p.shape, d.newbyteorder()), TypeError, "dtype >f4|dtype float32"),
        (lambda p, d: np.empty(p.shape, int), TypeError, "has dtype int64"),
        (lambda p, d: None, TypeError, "must be .*, found NoneType"),
        (lambda p, d: [0.0] * p.size, TypeError, "must be .*, found list"),
        (lambda p, d: np.ma.zeros(p.shape, d), TypeError, "must be .*, found MaskedArray"),
        (lambda p, d: np.broadcast_to(d.type(0), p.shape), ValueError, "read-only"),
        (lambda p, d: p, ValueError, 'parameter 0 and state "exp_avg_sq" of parameter 0 are the s'),
        (lambda p, d: p[::-1], ValueError, "parameter 0 and state .* overlap in memory"),
        (lambda p, d: 1 / 0, ZeroDivisionError, "division"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Callable[..., Any], error: type[Exception], message: str) -> None:
    opt = wrong(make)
    before = digest(opt)
    with pytest.raises(error, match=message):
        opt.step(gradients())
    assert digest(opt) == before
    assert not opt.state


def test_one_array_for_all_is_refused_at_a_step_and_at_loading() -> None:
    arrays: dict[Any, Any] = {}

    def factory(key: Any, name: str, like: Any, dtype: np.dtype) -> Any:
        return arrays.setdefault(like.shape, np.full(like.shape, 7, dtype))

    opt, other = made(state_factory=factory), made()
    other.step(gradients())
    for work in (
        lambda: opt.step(gradients()),
        lambda: opt.load_state_dict(other.state_dict()),
    ):
        with pytest.raises(ValueError, match="are the same array"):
            work()
        assert digest(opt) == Run().at(0)


def test_a_gradient_is_not_taken_as_state() -> None:
    grads = gradients()
    shapes = [g.shape for g in grads]
    opt = made(
        fs.Momentum, state_factory=lambda key, name, like, dtype: grads[shapes.index(like.shape)]
    )
    with pytest.raises(ValueError, match="the gradient of parameter 0 overlaps parameter 0"):
        opt.step(grads)
    for g, wanted in zip(grads, gradients(), strict=True):
        assert_same_bits(g, wanted)


def test_state_in_use_is_not_overwritten_by_loading() -> None:
    first: dict[Any, Any] = {}

    def factory(key: Any, name: str, like: Any, dtype: np.dtype) -> Any:
        return first.setdefault((key, name), np.empty_like(like, dtype))

    opt = made(state_factory=factory)
    opt.step(gradients())
    saved = copy.deepcopy(opt.state_dict())
    opt.step(gradients())
    with pytest.raises(ValueError, match="are the same array"):
        opt.load_state_dict(saved)
    assert digest(opt) == Run().at(2)


def test_what_a_factory_does_to_the_arrays_of_the_step_is_seen() -> None:
    """A factory is Python code: the parameter that was checked may be another afterwards."""
    p, g = np.ones(70_000, np.float32), np.ones(70_000, np.float32)

    def resizing(key: Any, name: str, like: Any, dtype: np.dtype) -> Any:
        state = np.empty_like(like, dtype)
        victim.resize(10, refcheck=False)
        return state

    for victim, message in (
        (p, r"parameter 0 has shape \(10,\) .* as before"),
        (g, "the gradient of parameter 0 has"),
    ):
        opt = fs.Momentum([p], state_factory=resizing)
        with pytest.raises(ValueError, match=message):
            opt.step([g])
        assert not opt.state
        victim.resize(70_000, refcheck=False)


@pytest.mark.parametrize("bad", [3, "disk", Path("/tmp")])
def test_a_factory_must_be_callable(bad: object) -> None:
    with pytest.raises(TypeError, match="state_factory must be callable or None, found"):
        fs.Adam([np.ones(3)], state_factory=bad)
