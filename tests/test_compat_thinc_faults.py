"""thinc's optimizer with our steps: what is refused, what is saved, what is unusual."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import thinc.api

from ferrostep.compat import thinc as ours
from support.arrays import assert_same_bits

W = np.ones(3, np.float32)
LARGER = np.ones(4, np.float32)
KEY = (1, "W")


def begun(**options: Any) -> tuple[Any, Any]:
    optimizer, w = ours.Optimizer(0.1, **options), W.copy()
    for i in range(3):
        optimizer(KEY, w, W * (i - 0.5))
    return optimizer, w


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


def setting(**values: Any) -> Callable[[Any, Any], Any]:
    def call(optimizer: Any, w: Any) -> Any:
        before = {name: getattr(optimizer, name) for name in values}
        for name, value in values.items():
            setattr(optimizer, name, value)
        try:
            optimizer(KEY, w, W.copy())
        finally:
            for name, value in before.items():
                setattr(optimizer, name, value)

    return call


def odd_average(optimizer: Any, w: Any) -> None:
    kept = optimizer.averages[KEY]
    optimizer.averages[KEY] = np.zeros(2, np.float32)
    try:
        optimizer(KEY, w, W.copy())
    finally:
        optimizer.averages[KEY] = kept


def odd_state(optimizer: Any, w: Any) -> None:
    kept = optimizer.mom1[KEY]
    optimizer.mom1[KEY] = np.zeros(2, np.float32)
    try:
        optimizer(KEY, w, W.copy())
    finally:
        optimizer.mom1[KEY] = kept


BAD: list[tuple[str, Callable[[Any, Any], Any], type[Exception], str]] = [
    ("rate", setting(learn_rate=-1.0), ValueError, "Invalid learn_rate value: -1.0 .* >= 0"),
    ("nan", setting(learn_rate=float("nan")), ValueError, "Invalid learn_rate value: nan"),
    ("word", setting(eps="small"), ValueError, "Invalid eps.* 'small'"),
    ("beta", setting(b1=1.0), ValueError, r"Invalid beta1 value: 1.0 .* in \[0, 1\)"),
    ("L2", setting(L2=-0.1), ValueError, "Invalid L2 value"),
    ("clip", setting(grad_clip=-1), ValueError, "Invalid grad_clip value: -1"),
    ("no beta1", setting(b1=0.0), NotImplementedError, "beta1 must be > 0 .* found beta1=0.0"),
    ("lr_scale", lambda o, w: o(KEY, w, W.copy(), lr_scale=-1), ValueError, "lr_scale"),
    ("read-only", lambda o, w: o(KEY, w, read_only(W)), ValueError, "gradient .* writable"),
    ("frozen", lambda o, w: o("v", read_only(W), W.copy()), ValueError, "'v' must be writable"),
    ("shape", lambda o, w: o(KEY, w, W[:2].copy()), ValueError, r"shape \(2,\), wanted \(3,\)"),
    ("list", lambda o, w: o(KEY, w, [1.0, 2.0, 3.0]), TypeError, "NumPy array.* found list"),
    ("ints", lambda o, w: o(KEY, w, np.ones(3, int)), TypeError, "int64"),
    ("int weights", lambda o, w: o("v", np.ones(3, int), W.copy()), TypeError, "int64"),
    ("own", lambda o, w: o(KEY, w, w), ValueError, "overlap"),
    ("average", lambda o, w: o(KEY, o.averages[KEY], W.copy()), ValueError, r"use_params\(\)"),
    ("odd average", odd_average, ValueError, r"average of .* shape \(2,\), wanted \(3,\)"),
    ("odd state", odd_state, ValueError, r"state of .* shape \(2,\), wanted \(3,\)"),
    (
        "grown",
        lambda o, w: o(KEY, np.ones(4, np.float32), np.ones(4, np.float32)),
        ValueError,
        "state",
    ),
    ("no hash", lambda o, w: o([1], w, W.copy()), TypeError, "unhashable"),
]


@pytest.mark.parametrize("bad", BAD, ids=[row[0] for row in BAD])
def test_what_fails_changes_nothing(bad: Any) -> None:
    _, call, error, message = bad
    (optimizer, w), (twin, theirs) = begun(), begun()
    with pytest.raises(error, match=message):
        call(optimizer, w)
    assert list(optimizer.nr_update.items()) == [(KEY, 3)]
    assert list(optimizer.mom1) == list(optimizer.averages) == [KEY]
    for one, of in ((optimizer, w), (twin, theirs)):
        one(KEY, of, W.copy())
    assert_same_bits(w, theirs)
    for name in ("mom1", "mom2", "averages"):
        assert_same_bits(getattr(optimizer, name)[KEY], getattr(twin, name)[KEY])


@pytest.mark.parametrize("options", [{}, {"use_radam": True}, {"beta1": 0.0, "beta2": 0.0}])
@pytest.mark.parametrize(
    "copied", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_a_copy_goes_on_with_the_same_bits(copied: Any, options: Any) -> None:
    optimizer, w = begun(L2=0.1, **options)
    other, theirs = copied(optimizer), w.copy()
    assert type(other) is ours.Optimizer
    for i in range(8):
        optimizer(KEY, w, W * i)
        other(KEY, theirs, W * i)
        assert_same_bits(w, theirs)
        assert_same_bits(optimizer.averages[KEY], other.averages[KEY])


def test_a_plain_copy_shares_its_state_as_thincs_does() -> None:
    (optimizer, w), (twin, theirs) = begun(), begun()
    other = copy.copy(optimizer)
    for i in range(4):
        (optimizer, other)[i % 2](KEY, w, W * i)
        twin(KEY, theirs, W * i)
    assert_same_bits(w, theirs)


def test_an_infinite_gradient_is_what_thinc_makes_of_it() -> None:
    for bad in (np.inf, np.nan):
        found, wanted = W.copy(), W.copy()
        for optimizer, w in ((ours.SGD(0.1), found), (thinc.api.SGD(0.1), wanted)):
            with np.errstate(all="ignore"):
                optimizer(KEY, w, np.array([bad, 1.0, 2.0], np.float32))
        np.testing.assert_array_equal(found, wanted)


def test_gradients_beyond_float32_are_clipped() -> None:
    """thinc's norm of them is infinite in float32, which makes zeros of them."""
    w = W.copy()
    _, g = ours.SGD(1.0)(KEY, w, np.full(3, 1e30, np.float32))
    np.testing.assert_allclose(w, 1 - 1 / np.sqrt(3), rtol=1e-6)
    assert not g.any()


def test_a_nan_gradient_is_zeroed() -> None:
    _, g = ours.SGD(1.0)(KEY, W.copy(), W * np.nan)
    assert_same_bits(g, np.zeros(3, np.float32))


def test_empty_gradients_are_left_alone() -> None:
    optimizer, empty = ours.Optimizer(0.1), np.zeros((0, 4), np.float32)
    assert optimizer(KEY, empty, empty) == (empty, empty)
    assert not optimizer.nr_update


def test_attributes_are_locked_as_thincs_are() -> None:
    optimizer = ours.Adam()
    with pytest.raises(AttributeError):
        optimizer.learning_rate = 0.1


def test_a_subclass_may_hold_more() -> None:
    class Mine(ours.Optimizer):  # type: ignore[misc]
        note = "class"

    optimizer = Mine(0.1)
    optimizer.note = "mine"
    optimizer(KEY, W.copy(), W.copy())
    assert pickle.loads(pickle.dumps(optimizer.mom1)).keys() == {KEY}
    assert copy.deepcopy(optimizer).note == "mine"


def test_threads_may_step_different_parameters() -> None:
    """Each at a step of its own, so that they ask for different formulas."""
    optimizer, weights = ours.Adam(0.1), [W.copy() for _ in range(4)]

    def work(i: int) -> None:
        for _ in range(100 + 50 * i):
            optimizer((i, "W"), weights[i], W.copy())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for i, w in enumerate(weights):
        alone, wanted = ours.Adam(0.1), W.copy()
        for _ in range(100 + 50 * i):
            alone((i, "W"), wanted, W.copy())
        assert_same_bits(w, wanted)


def test_a_gradient_of_another_shape_with_as_many_numbers() -> None:
    weights, gradient = np.ones((2, 3), np.float32), np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"has shape \(3, 2\), wanted \(2, 3\)"):
        ours.SGD(1.0)((1, "W"), weights, gradient)
    assert (weights == 1).all()
    ours.SGD(1.0, grad_clip=0.0)((1, "W"), weights, gradient.ravel())
    assert (weights == 0).all()
