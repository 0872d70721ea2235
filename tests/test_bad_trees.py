"""What is no tree, or another one than before, is refused by the first name that differs."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.trees import Layer, made

HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)


BAD_PARAMETERS: list[tuple[Any, type[Exception], str]] = [
    (HOLDS_ITSELF, ValueError, "a list lies in 100 others, .*; does it hold itself"),
    (
        [{1, 2}],
        TypeError,
        r"parameter 0 must be .*, found set; only lists, tuples .* so write list\(...\)",
    ),
    ([[], [iter([1])]], TypeError, "parameter '1.0' must be .*, found list_iterator; only"),
    ({"a": [np.zeros(1), object()]}, TypeError, "parameter 'a.1' must be .*, found object"),
    ([["x"]], TypeError, "parameter '0.0' must be .*, found str"),
    (
        [[1.5]],
        TypeError,
        r"parameter '0.0' must be .*, found float; keep it as an array, p = np.array\(1.5",
    ),
    ({"a": {1: np.zeros(1)}}, ValueError, "names must be str, found 1 in the dict at 'a'"),
    ({1: [np.zeros(1)]}, ValueError, "names must be str, found 1"),
    (
        {"": {"a": np.zeros(1)}, ".a": 1, "'.a'": {}},
        TypeError,
        "parameter \"'.a'\" must be .*, found int",
    ),
    ({"'a": {"b'": np.zeros(1)}, "a.b": np.zeros(1), "c": []}, ValueError, "found \"'a.b'\" twice"),
    (
        [{"lr": 0.1}],
        TypeError,
        "'0.lr' must be .*, found float; .* param groups if the first has 'params'",
    ),
    ([[None], {}], ValueError, "empty parameter list"),
    ([[np.arange(3)]], TypeError, "parameter '0.0' has dtype int64"),
    ([("w", np.zeros(1)), [np.zeros(1)]], ValueError, "named and unnamed"),
    ([("w", [np.zeros(1)])], TypeError, "parameter 'w' must be .*, found list"),
]


@pytest.mark.parametrize(("params", "error", "message"), BAD_PARAMETERS)
def test_bad_parameters(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fs.SGD(params)
    with pytest.raises(error, match=message):
        fs.SGD().update(params, params)


def test_update_takes_no_groups() -> None:
    with pytest.raises(TypeError, match="found param groups; make the optimizer with them"):
        fs.SGD().update([{"params": [np.zeros(1)]}], [np.zeros(1)])


def changed(change: Callable[[dict[str, Any]], Any]) -> Any:
    grads = made(1.0)
    return change(grads) or grads


BAD_GRADIENTS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda g: [g], "have a list of 1 at the top, wanted a dict of 'layers', 'v.0'"),
    (lambda g: g.pop("v.0") and None, "have nothing at \"'v.0'\", wanted a tuple of 1"),
    (lambda g: g.update(x=np.ones(1)), "have an ndarray at 'x', wanted nothing"),
    (lambda g: g["layers"].pop() and None, "have nothing at 'layers.1', wanted a Layer of 2"),
    (lambda g: g["layers"].append(None), "have None at 'layers.2', wanted nothing"),
    (lambda g: g["layers"][0].pop("W") is None, "have nothing at 'layers.0.W', wanted an array"),
    (lambda g: g["layers"][0].pop("b"), "have nothing at 'layers.0.b', wanted None"),
    (
        lambda g: g["layers"][0].update(b=np.ones(1)),
        "have an ndarray at 'layers.0.b', wanted None",
    ),
    (
        lambda g: g["layers"][0].update(W=[np.ones(2)]),
        "have a list of 1 at 'layers.0.W', wanted an array",
    ),
    (lambda g: g.update(layers=None), "have None at 'layers', wanted a list of 2"),
    (
        lambda g: g["layers"].__setitem__(1, [np.ones(3), np.ones(1)]),
        "have nothing at 'layers.1.W', wanted an array",
    ),
    (
        lambda g: g["layers"].__setitem__(1, {"W": 1, "b": 2}),
        "have a dict of 'W', 'b' at 'layers.1'",
    ),
    (lambda g: g["layers"][0].update(W=np.ones(9)), "gradient of parameter 'layers.0.W' has shape"),
    (
        lambda g: g["layers"][0].update(W="x"),
        "gradient of parameter 'layers.0.W' must be .*, found str",
    ),
    (lambda g: {**fs.tree.flatten(g), "y": 1}, "missing .., unknown .'y'."),
    (lambda g: {"layers.0.W": 1}, "missing .'layers.1.W', 'layers.1.b', \"'v.0'.0\"."),
]


@pytest.mark.parametrize(("change", "message"), BAD_GRADIENTS)
def test_bad_gradients_change_nothing(change: Callable[[Any], Any], message: str) -> None:
    params, bound = made(), fs.Momentum(made(), lr=1.0)
    updates, makes = fs.Momentum(lr=1.0), fs.Momentum(lr=1.0)
    calls = [bound.step, lambda g: updates.update(params, g), lambda g: makes.updated(params, g)]
    for call in calls:
        with pytest.raises((ValueError, TypeError), match=message):
            call(changed(change))
        call(made(1.0))
        with pytest.raises((ValueError, TypeError), match=message):
            call(changed(change))
    for opt in (bound, updates, makes):
        assert [state["step"] for state in opt.state.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["layers"].pop() and None,
        lambda p: p["layers"][0].update(b=np.zeros(1)),
        lambda p: p["layers"][0].update(W=None),
        lambda p: [p],
    ],
)
def test_an_update_brings_the_same_tree(change: Callable[[Any], Any]) -> None:
    params = made()
    opt = fs.Momentum(lr=1.0)
    opt.update(params, made(1.0))
    other = made()
    with pytest.raises((ValueError, TypeError), match=r"at 'layers|at the top|'layers.0.W'"):
        opt.update(change(other) or other, made(1.0))
    opt.update(fs.tree.flatten(params), made(1.0))
    assert opt.state["layers.0.W"]["step"] == 2


REPLACED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda p: p["layers"][0].update(W=np.zeros(2)),
        r"parameter 'layers.0.W' was replaced in your dict.* d\['W'\]\[...\] = ",
    ),
    (
        lambda p: p["layers"].__setitem__(1, Layer(np.zeros(3), np.zeros(1))),
        "the parameters in 'layers.1' were replaced in your list",
    ),
    (lambda p: p.update(layers=list(p["layers"])), "the parameters in 'layers' were replaced"),
    (
        lambda p: p["layers"][0].update(b=np.zeros(1)),
        "parameter 'layers.0.b' was None in your dict",
    ),
]
HOW: list[Callable[[Any], Any]] = [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))]


@pytest.mark.parametrize(("change", "message"), REPLACED)
def test_what_is_replaced_at_any_level_is_seen(change: Any, message: str) -> None:
    for how in (lambda both: both, *HOW):
        params = made()
        opt = fs.Momentum(params, lr=1.0, momentum=0.5)
        opt.step(made(1.0))
        params, opt = how((params, opt))
        twin = copy.copy(opt)
        opt.step(made(1.0))
        assert (params["layers"][1].W == -2.5).all()
        params["layers"].append("more")  # others are fine
        opt.step(made(0.0))
        change(params)
        for one in (opt, twin):
            with pytest.raises(ValueError, match=message):
                one.step(made(1.0))
        assert opt.state["layers.0.W"]["step"] == 3


def test_what_the_functions_refuse() -> None:
    for bad, error, message in [
        ([{1}], TypeError, "found a set at '0'"),
        ({"a": ["x"]}, TypeError, "found a str at 'a.0'"),
        ({"a": {2: 1.0}}, ValueError, "found 2 in the dict at 'a'"),
        ({"'a": {"b'": 1.0}, "a.b": 2.0}, ValueError, "have the name \"'a.b'\""),
        (HOLDS_ITSELF, ValueError, "does it hold itself"),
    ]:
        with pytest.raises(error, match=message):
            fs.tree.flatten(bad)
    with pytest.raises(ValueError, match="does it hold itself"):
        fs.tree.map(abs, HOLDS_ITSELF)
    with pytest.raises(ValueError, match="have the name"):
        fs.tree.unflatten({"'a": {"b'": 1.0}, "a.b": 2.0}, {"'a.b'": 1.0})
    with pytest.raises(ValueError, match=r"missing \['b'\], unknown \['c'\]"):
        fs.tree.unflatten({"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0})
