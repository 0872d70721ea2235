"""Adafactor's state, of other shapes than its parameters; and what is refused."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import FACTORED
from support.arrays import Array, arrays_in, assert_same_bits
from support.factored import assert_same_run, inputs, train


def test_state_has_a_row_and_a_column_of_each_matrix() -> None:
    shapes = {"w": (3, 5), "stack": (2, 3, 4), "b": (5,), "s": (), "none": (0, 4)}
    params = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    opt = fs.Adafactor(params)
    opt.init_state()
    found = {key: {n: x.shape for n, x in arrays_in(opt.state[key]).items()} for key in params}
    assert found == {
        "w": {"row_var": (3, 1), "col_var": (1, 5)},
        "stack": {"row_var": (2, 3, 1), "col_var": (2, 1, 4)},
        "b": {"variance": (5,)},
        "s": {"variance": ()},
        "none": {"row_var": (0, 1), "col_var": (0, 4)},
    }
    assert "float32 (3, 5), step 0, 32 bytes of state" in repr(opt)
    made = {key: entry["row_var"] for key, entry in opt.state.items() if "row_var" in entry}
    opt.step({name: np.ones_like(p) for name, p in params.items()})
    for key, array in made.items():
        assert opt.state[key]["row_var"] is array


def test_a_factory_is_given_a_part_of_the_parameter_with_the_shape_of_the_state() -> None:
    asked: list[Any] = []

    def factory(key: Any, name: str, like: Array, dtype: np.dtype[Any]) -> Array:
        asked.append((key, name, like.shape, dtype.name))
        return np.empty_like(like, dtype)

    opt = fs.Adafactor({"w": np.ones((3, 5), np.float32), "b": np.ones(5)}, state_factory=factory)
    opt.step({"w": np.ones((3, 5)), "b": np.ones(5)})
    assert asked == [
        ("w", "row_var", (3, 1), "float32"),
        ("w", "col_var", (1, 5), "float32"),
        ("b", "variance", (5,), "float64"),
    ]

    def wrong(key: Any, name: str, like: Array, dtype: np.dtype[Any]) -> Array:
        return np.empty((3, 5), dtype)

    p = np.ones((3, 5))
    opt = fs.Adafactor([p], state_factory=wrong)
    wanted = (
        r'"row_var" of parameter 0 from state_factory has shape \(3, 5\) .*, wanted shape \(3, 1\)'
    )
    with pytest.raises(ValueError, match=wanted):
        opt.step([np.ones((3, 5))])
    assert (p == 1).all()
    assert not opt.state


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"row_var": np.ones((3, 5))}, r"'row_var' .* has shape \(3, 5\), wanted \(3, 1\)"),
        ({"col_var": np.ones(5)}, r"'col_var' .* has shape \(5,\), wanted \(1, 5\)"),
        ({"row_var": None}, r"lacks \['row_var'\]"),
        ({"variance": np.ones((3, 5))}, r"unknown arrays \['variance'\], wanted \['row_var', "),
    ],
)
def test_state_of_a_wrong_shape_or_name_is_not_loaded(change: Any, wanted: str) -> None:
    start, steps = inputs(np.float64, [(3, 5), (4,)])
    _, opt = train(FACTORED[0], start, steps)
    before, saved = opt.state_dict(), opt.state_dict()
    saved["state"][0].update(change)
    with pytest.raises(ValueError, match=wanted):
        opt.load_state_dict(saved)
    for name, x in before["state"][0].items():
        np.testing.assert_array_equal(opt.state[0][name], x)
    report = opt.load_state_dict(opt.state_dict(), strict=False)
    assert report.loaded == (0, 1)


def test_a_vector_has_no_factors() -> None:
    _, opt = train(FACTORED[0], *inputs(np.float64, [(4,)]))
    saved = opt.state_dict()
    saved["state"][0] |= {"row_var": np.ones((4, 1)), "col_var": np.ones((1, 4))}
    del saved["state"][0]["variance"]
    with pytest.raises(ValueError, match=r"unknown arrays .*, wanted \['variance'\]"):
        opt.load_state_dict(saved)


def test_state_that_changes_its_shape_is_refused() -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p])
    opt.step([p.copy()])
    opt.state[0]["row_var"].shape = (1, 3)
    before = p.copy()
    with pytest.raises(ValueError, match=r"shape \(1, 3\) .*, wanted shape \(3, 1\) .* as before"):
        opt.step([p.copy()])
    assert_same_bits(p, before)


def test_a_run_goes_on_after_any_way_of_saving_it(tmp_path: Path) -> None:
    start, steps = inputs(np.float32, [(5, 6), (2, 3, 4), (7,)], 5)
    wanted = train(FACTORED[0], start, steps)
    params, first = train(FACTORED[0], start, steps[:2])
    loaded = fs.Adafactor([p.copy() for p in params])
    loaded.load_state_dict(first.state_dict())
    first.save(tmp_path / "f")
    read = fs.Adafactor([np.zeros_like(p) for p in start])
    read.load(tmp_path / "f")
    awaiting = fs.Adafactor()
    awaiting.load_state_dict(first.state_dict())
    for opt in (loaded, read, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        for grads in steps[2:]:
            opt.step(grads)
        assert_same_run((opt._parameters(), opt), wanted)
    arrays = [p.copy() for p in params]
    for grads in steps[2:]:
        awaiting.update(arrays, grads)
    for p, q in zip(arrays, wanted[0], strict=True):
        assert_same_bits(p, q)


def test_unbound_anew_and_one_by_one() -> None:
    start, steps = inputs(np.float32, [(5, 6), (40, 70), (7,)])
    wanted, _ = train(FACTORED[0], start, steps)
    anew, one = fs.Adafactor(), fs.Adafactor()
    news, singles = [p.copy() for p in start], [p.copy() for p in start]
    for grads in steps:
        before = [p.copy() for p in news]
        old, news = news, anew.updated(news, grads)
        for p, q in zip(old, before, strict=True):
            assert_same_bits(p, q, "what updated was given")
        for key, (p, g) in enumerate(zip(singles, grads, strict=True)):
            one.update_one(f"w{key}", p, g)
    for found in (news, singles):
        for p, q in zip(found, wanted, strict=True):
            assert_same_bits(p, q)


@pytest.mark.parametrize("count", [0, 2, 6])
def test_rows_that_come_and_go_leave_what_columns_have_in_common(count: int) -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p])
    opt.step([np.arange(15.0).reshape(3, 5)])
    old = {name: x.copy() for name, x in arrays_in(opt.state[0]).items()}
    opt.replace(0, np.ones((count, 5)))
    new = opt.state[0]
    assert new["row_var"].shape == (count, 1)
    np.testing.assert_array_equal(new["row_var"][:3], old["row_var"][:count])
    assert not new["row_var"][3:].any()
    assert new["col_var"].shape == (min(count, 1), 5)
    np.testing.assert_array_equal(new["col_var"], old["col_var"][:count])
    opt.replace(0, np.ones((4, 5)))  # from none, too
    assert new is not opt.state[0]
    opt.step([np.ones((4, 5))])


# What is refused, and what leaves all as it was.


def test_a_step_that_is_left_out_changes_nothing() -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p], nonfinite="skip")
    opt.step([np.ones((3, 5))])
    before, state = p.copy(), {n: x.copy() for n, x in arrays_in(opt.state[0]).items()}
    assert not opt.step([np.full((3, 5), np.inf)]).applied
    assert_same_bits(p, before)
    for name, x in state.items():
        assert_same_bits(opt.state[0][name], x)


def test_gradients_that_share_memory_with_state_are_refused() -> None:
    memory = np.ones((1, 5))
    opt = fs.Adafactor([np.ones((1, 5))], state_factory=lambda key, name, like, dtype: (
        memory if name == "col_var" else np.empty_like(like, dtype)
    ))  # fmt: skip
    with pytest.raises(ValueError, match="overlaps"):
        opt.step([memory])


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"eps": 1e-3}, "eps must be a pair of numbers"),
        ({"eps": (1e-3, None)}, "eps must be a pair of numbers"),
        ({"eps": (None, -1.0)}, "eps must be two finite numbers >= 0, or None and one"),
        ({"eps": (np.inf, 1.0)}, "eps must be two finite numbers >= 0, or None and one"),
        ({"beta2_decay": 0.8}, "beta2_decay must be a finite number <= 0"),
        ({"d": 0.0}, "d must be a finite number > 0"),
        ({"form": "keras"}, "form must be one of 'torch', 'original'"),
    ],
)
def test_bad_options(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fs.Adafactor([np.ones((2, 2))], **options)
