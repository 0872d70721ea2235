"""Accumulator: a mistake is an error of the call that makes it; all of a call is made or none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import (
    Array,
)
from support.interrupts import interrupts
from support.wrappers import (
    accumulating,
    told,
    waves_or_none,
)

MISTAKES: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ({"w": np.ones(3), "b": None}, {}, ValueError, r"'w' has shape \(3,\), wanted \(2, 3\)"),
    ({"w": np.ones((2, 3), int), "b": None}, {}, TypeError, "dtype int64, wanted float16"),
    ({"w": [[1.0] * 3] * 2, "b": None}, {}, TypeError, "must be a NumPy or CuPy array, found list"),
    (
        {"w": fs.Rows([2], np.ones((1, 3))), "b": None},
        {},
        ValueError,
        "indices that must be below 2",
    ),
    ({"w": None}, {}, ValueError, "missing"),
    (None, {}, ValueError, "must be a dict with the parameters' names"),
    ({"w": None, "b": np.full(2, np.nan)}, {}, fs.NonFiniteError, "'b' is not finite"),
    ({"w": None, "b": np.ones(2)}, {"grad_scale": 0}, ValueError, "grad_scale must not be 0"),
    ({"w": None, "b": np.ones(2)}, {"max_norm": -1}, ValueError, "max_norm"),
    ({"w": None, "b": np.ones(2)}, {"clip": "all"}, ValueError, "clip must be one of 'global'"),
    ({"w": None, "b": np.ones(2)}, {"measure": 1}, ValueError, "measure must be one of 'total'"),
]


@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize(("grads", "more", "error", "message"), MISTAKES)
def test_a_mistake_is_an_error_of_its_call(
    grads: Any, more: dict[str, Any], error: type[Exception], message: str, before: int
) -> None:
    params, opt = accumulating()
    for t in range(before):
        opt.step(waves_or_none(params, t))
    now = told([params, opt.state_dict()])
    with pytest.raises(error, match=message):
        opt.step(grads, **more)
    assert told([params, opt.state_dict()]) == now
    for t in range(before, 4):
        opt.step(waves_or_none(params, t))
    other, same = accumulating()
    for t in range(4):
        same.step(waves_or_none(other, t))
    assert told(params) == told(other)


def test_overlaps_are_refused_where_they_are_given() -> None:
    p = np.ones(4)
    opt = fs.Accumulator(fs.SGD([p]), 2)
    with pytest.raises(ValueError, match=r"overlaps .* in memory; pass a copy"):
        opt.step([p])
    params = {"w": np.ones(3)}
    named = fs.Accumulator(fs.SGD(params), 2)
    params["w"] = np.ones(3)
    with pytest.raises(ValueError, match=r"(?s)'w'.*rebind"):
        named.step({"w": np.ones(3)})
    assert named.accumulated == 0


def test_what_is_not_finite_may_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ferrostep")
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0, nonfinite="skip"), 2)
    opt.step([np.full(2, 1.0)])
    info = opt.step([np.array([1.0, np.inf])])
    assert (info.applied, info.nonfinite, opt.accumulated, opt.skipped_steps) == (False, 0, 1, 1)
    assert "not finite" in caplog.text
    assert opt.step([np.full(2, 3.0)]).applied
    np.testing.assert_array_equal(p, -2)
    # Each is finite, and the sum is not: the step is left out, and all that it is of.
    opt.step([np.full(2, 1.5e308)])
    info = opt.step([np.full(2, 1.5e308)])
    assert (info.applied, info.nonfinite, opt.accumulated, opt.skipped_steps) == (False, 0, 0, 2)
    np.testing.assert_array_equal(p, -2)


def test_a_step_that_is_refused_leaves_what_waits() -> None:
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0, nonfinite="raise"), 2)
    opt.step([np.full(2, 1.5e308)])
    with pytest.raises(fs.NonFiniteError):
        opt.step([np.full(2, 1.5e308)])
    assert opt.accumulated == 1
    assert opt.step([np.full(2, -1.5e308)]).applied
    np.testing.assert_array_equal(p, 0)


@pytest.mark.parametrize("already", [1, 2, 5])
def test_a_call_is_whole_or_none_whenever_it_is_interrupted(already: int) -> None:
    params, opt = accumulating()

    def begun() -> Callable[[], object]:
        nonlocal params, opt
        params, opt = accumulating()
        for t in range(already):
            opt.step(waves_or_none(params, t))
        return lambda: opt.step(waves_or_none(params, 9))

    def now() -> Any:
        state = opt.state_dict()
        if not opt.state:  # slow weights may have begun
            state["wrappers"].pop()
        return told([params, state])

    begun()
    before = now()
    opt.step(waves_or_none(params, 9))
    after = now()
    for _ in interrupts(begun):
        assert now() in (before, after)
        whole = now() == after
        opt.step(waves_or_none(params, 9))
        assert whole or now() == after


BAD_ARGUMENTS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: fs.Accumulator(fs.SGD(), 2), ValueError, "found an unbound one; make it with params"),
    (lambda: fs.Accumulator(None, 2), TypeError, "must be one of ferrostep's, found NoneType"),  # type: ignore[arg-type]
    (
        lambda: fs.Accumulator(accumulating()[1], 2),
        TypeError,
        "optimizer in it, found Acc",
    ),  # type: ignore[arg-type]
    (lambda: fs.Lookahead(accumulating()[1], 2), TypeError, "put Lookahead into Accumulator"),  # type: ignore[arg-type]
    (lambda: fs.Accumulator(fs.SGD([np.ones(2)]), 0), ValueError, "steps must be an integer >= 1"),
    (lambda: setattr(accumulating()[1], "steps", 5), AttributeError, "steps"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_call_from_within_a_call() -> None:
    """The one within is made; the other is not, if it had begun to add up."""
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0), 8)
    calls = 0

    class Gradient:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            nonlocal calls
            calls += 1
            if calls == 2:
                opt.step([np.ones(2)])
            return np.full(2, 100.0)

    for before in range(4):
        calls = 0
        with pytest.raises(RuntimeError, match="called from within its own step"):
            opt.step([Gradient()])
        assert opt.accumulated == before + 1
    for _ in range(4):
        opt.step([np.ones(2)])
    np.testing.assert_array_equal(p, -1)


def test_threads_take_turns() -> None:
    p = np.zeros(100)
    opt = fs.Accumulator(fs.Lookahead(fs.SGD([p], lr=1.0), k=2, alpha=1.0), 3)
    threads = [
        threading.Thread(target=lambda: [opt.step([np.ones(100)]) for _ in range(150)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_array_equal(p, -200)
    assert opt.accumulated == 0
