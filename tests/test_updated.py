"""`updated` returns what `update` writes, and leaves alone what it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import RUNS, Case
from support.arrays import TIERS, Array, assert_same_bits, assert_same_state, running_on
from support.layouts import LAYOUTS, laid_out

SHAPES = [(5, 7), (), (3,), (0, 2), (2, 1031)]


def unbound(case: Case, **more: Any) -> fs.Optimizer:
    return case.optimizer(**{**case.options, **more})


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_updated_equals_update_on_copies(data: Any) -> None:
    case, dtype = data.draw(st.sampled_from(RUNS))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    backend = data.draw(st.sampled_from([None, None, "reference"]))
    functional, in_place = unbound(case, backend=backend), unbound(case)
    params = [data.draw(laid_out(rng.standard_normal(n).astype(dtype))) for n in SHAPES]
    copies = [p.copy() for p in params]
    scaling = data.draw(st.sampled_from([{}, {"grad_scale": -0.3}, {"max_norm": 2.0}]))
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 3))):
        for _ in range(3):
            grads: list[Any] = [
                data.draw(laid_out(rng.standard_normal(n).astype(dtype))) for n in SHAPES
            ]
            grads[data.draw(st.integers(0, 4))] = None
            before = [p.copy() for p in params]
            new = functional.updated(params, grads, **scaling)
            info = in_place.update(copies, grads, **scaling)
            assert functional.last is not None
            assert functional.last.as_dict() == info.as_dict()
            for old, kept, fresh, wanted in zip(params, before, new, copies, strict=True):
                assert_same_bits(old, kept)
                assert_same_bits(fresh, wanted)
                assert not np.shares_memory(old, fresh)
                assert fresh.dtype == old.dtype
                assert fresh.strides == np.empty_like(old).strides
            params = new
    assert_same_state(functional, in_place)


@pytest.mark.parametrize("gradient", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("parameter", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_beyond_one_piece(parameter: Any, gradient: Any) -> None:
    rng = np.random.default_rng(3)
    p, g = parameter(rng.standard_normal((63, 131))), gradient(rng.standard_normal((63, 131)))
    q = p.copy()
    functional, in_place = fs.Adam(weight_decay=0.1), fs.Adam(weight_decay=0.1)
    for _ in range(3):
        p = functional.updated(p, g)
        in_place.update(q, g)
    assert_same_bits(p, q)


def test_a_history_keeps_its_entries() -> None:
    opt, w = fs.SGD(lr=0.5), np.array([1.0])
    history = [w]
    for _ in range(3):
        w = opt.updated(w, np.ones(1))
        history.append(w)
    assert [float(w[0]) for w in history] == [1.0, 0.5, 0.0, -0.5]


class Tagged(np.ndarray[Any, Any]):
    """An array with a note, which is handed on."""

    note: str | None = None

    def __array_finalize__(self, obj: Any) -> None:
        self.note = getattr(obj, "note", None)


class Foreign:
    """Another library's immutable array, in host memory though its class knows devices: JAX's."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AttributeError("for arrays on devices")

    def __init__(self, values: Array) -> None:
        self.values = values
        values.flags.writeable = False

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.values


@pytest.mark.parametrize("backend", [None, "reference"])
def test_what_comes_and_what_is_returned(tmp_path: Path, backend: Any) -> None:
    def updated(params: Any, grads: Any) -> Any:
        return fs.SGD(lr=0.5, backend=backend).updated(params, grads)

    tagged = np.ones(3).view(Tagged)
    tagged.note = "kept"
    new = updated(tagged, np.ones(3))
    assert type(new) is Tagged
    assert new.note == "kept"
    file = np.memmap(tmp_path / "w", np.float32, "w+", shape=(3,))
    assert type(updated(file, np.ones(3))) is np.ndarray
    assert type(updated(np.float32(1.0), 1.0)) is np.ndarray
    foreign = updated({"w": Foreign(np.ones(3, np.float32))}, {"w": Foreign(np.ones(3))})
    assert foreign["w"].dtype == np.float32
    assert (foreign["w"] == 0.5).all()
    read_only = np.ones(3)
    read_only.flags.writeable = False
    assert updated((read_only,), (np.ones(3),))[0].flags.writeable
    same = np.ones(2)
    first, second = updated([same, same], [np.ones(2), np.zeros(2)])
    assert (first == 0.5).all()
    assert (second == 1).all()
    swapped = updated(np.ones(3, ">f4"), np.ones(3))
    assert swapped.dtype == np.dtype(">f4")
    assert (swapped == 0.5).all()
    names = updated({"b": np.ones(1), "a": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(1)})
    assert list(names) == ["b", "a"]


@pytest.mark.parametrize(
    ("params", "grads", "wanted"),
    [
        (3.0, 2, 2.0),
        (3, 2.0, 2.0),
        ([3, 1.0], [2, 0.0], [2.0, 1.0]),
        (((1, 2), (3, 4)), [[2, 2], [2, 2]], [[0, 1], [2, 3]]),
        (np.arange(3), np.full(3, 2), [-1, 0, 1]),
        (np.arange(3, dtype=np.uint8), [2, 2, 2], [-1, 0, 1]),
    ],
)
def test_numbers_are_float64_arrays(params: Any, grads: Any, wanted: Any) -> None:
    new = fs.SGD(lr=0.5).updated(params, grads)
    assert new.dtype == np.float64
    assert_same_bits(new, np.array(wanted, dtype=float))


def test_one_way_of_use() -> None:
    p, g = np.ones(3), np.ones(3)
    opt = fs.Adam()
    opt.updated(p, g)
    with pytest.raises(ValueError, match=r"update\(\) cannot follow updated\(\)"):
        opt.update(p, g)
    opt.reset()
    opt.update(p, g)
    with pytest.raises(ValueError, match=r"updated\(\) cannot follow update\(\)"):
        opt.updated(p, g)
    with pytest.raises(ValueError, match=r"bound to its parameters .* make it without params"):
        fs.Adam(p).updated(p, g)


Bad = tuple[str, Callable[[], tuple[Any, Any]], Any, str]
BAD_LATER: list[Bad] = [
    (
        "shape",
        lambda: ([np.ones(4)], [np.ones(3)]),
        ValueError,
        "parameter 0 has shape .* as before",
    ),
    (
        "dtype",
        lambda: ([np.ones(3, "f4")], [np.ones(3)]),
        ValueError,
        "parameter 0 has shape .* as before",
    ),
    ("count", lambda: ([np.ones(3)] * 2, [np.ones(3)]), ValueError, "found 2 parameters, wanted 1"),
]
BAD: list[Bad] = [
    ("none", lambda: ([None], [np.ones(3)]), (TypeError, ValueError), "None|empty parameter list"),
    ("text", lambda: (["w"], [np.ones(3)]), TypeError, "str"),
    ("bool", lambda: ([np.ones(3, bool)], [np.ones(3)]), TypeError, "dtype bool"),
    ("masked", lambda: ([np.ma.ones(3)], [np.ones(3)]), TypeError, "MaskedArray"),
    ("matrix", lambda: ([np.matrix([1.0])], [np.ones(3)]), TypeError, "matrix"),
    ("gradient", lambda: ([np.ones(3)], [np.ones(4)]), ValueError, "gradient of parameter 0"),
    ("gradients", lambda: ([np.ones(3)], []), ValueError, "found 0 gradients, wanted 1"),
    ("nan", lambda: ([np.ones(3)], [np.full(3, np.nan)]), fs.NonFiniteError, "not finite"),
]


@pytest.mark.parametrize("row", BAD, ids=[row[0] for row in BAD])
def test_a_first_call_that_fails_changes_nothing(row: Bad) -> None:
    opt = fs.Momentum(lr=0.1, nonfinite="raise")
    _, bad, error, message = row
    with pytest.raises(error, match=message):
        opt.updated(*bad())
    assert opt.last is None
    opt.update({"other": np.ones(2)}, {"other": np.ones(2)})


@pytest.mark.parametrize("row", BAD + BAD_LATER, ids=[row[0] for row in BAD + BAD_LATER])
def test_a_later_call_that_fails_changes_nothing(row: Bad) -> None:
    opt, twin = (fs.Momentum(lr=0.1, nonfinite="raise") for _ in range(2))
    for one in (opt, twin):
        one.updated([np.ones(3)], [np.ones(3)])
    _, bad, error, message = row
    last = opt.last
    with pytest.raises(error, match=message):
        opt.updated(*bad())
    assert opt.last is last
    assert_same_state(opt, twin)


def test_a_step_that_is_left_out_returns_what_came() -> None:
    opt = fs.Adam(nonfinite="skip")
    p, q = np.array([1.0, 2.0]), np.array([[3.0, 4.0]]).T
    new = opt.updated([p, q], [np.array([np.nan, 0.0]), np.ones((2, 1))])
    assert opt.last is not None
    assert not opt.last.applied
    assert_same_bits(new[0], p)
    assert_same_bits(new[1], q)
    assert not np.shares_memory(new[0], p)
    assert opt.skipped_steps == 1
    assert not opt.state


def test_state_goes_on_through_a_state_dict() -> None:
    opt, twin = fs.Adam(), fs.Adam()
    p = opt.updated(np.ones(3), np.ones(3))
    twin.load_state_dict(opt.state_dict())
    assert_same_bits(opt.updated(p, np.ones(3)), twin.updated(p, np.ones(3)))
    assert_same_state(opt, twin)


def test_parameters_that_are_the_state_of_the_optimizer() -> None:
    opt = fs.Momentum(lr=0.1)
    opt.updated([np.ones(3)], [np.ones(3)])
    state = opt.state[0]["velocity"]
    with pytest.raises(ValueError, match="parameter 0 overlaps the state of parameter 0 in memory"):
        opt.updated([state], [np.ones(3)])
    assert opt.state[0]["step"] == 1
