"""Trees: whatever lists, tuples and dicts parameters lie in, a step is that of the flat list."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import RUNS
from support.arrays import assert_same_bits
from support.trees import Layer, made


class Key(StrEnum):
    """Keys that are str, of a class of their own."""

    W = "W"
    DOTTED = "a.b"


KEYS = st.text("ab.'", max_size=3) | st.sampled_from(Key)
#: With 0 in the places of arrays.
TREES = st.recursive(
    st.sampled_from([0, 0, None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(Layer, inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)
SHAPES = [(3, 5), (), (7,), (0, 2)]


def names_of(tree: Any) -> list[str]:
    try:
        return list(fs.tree.flatten(tree))
    except ValueError:  # two print alike
        return []


def filled(tree: Any, values: Callable[[tuple[int, ...]], Any]) -> Any:
    """The tree with arrays; the shape of each goes by its number."""
    shapes = iter(SHAPES * 100)
    return fs.tree.map(lambda _: values(next(shapes)), tree)


def as_it_may_come(data: Any, opt: fs.Optimizer, grads: Any) -> Any:
    """The gradients in the same tree, read in Rust or in Python, or by name."""
    forms: list[Callable[[], Any]] = [lambda: grads, lambda: in_python(grads)]
    if opt._names is not None:
        leaves = [leaf for _, leaf, held in fs.tree.walk(grads) if held is None]
        everywhere = len(leaves) == len(opt._names)  # else None may be no gradient or no place
        forms += [lambda: dict(zip(opt._names or (), leaves, strict=True))] * everywhere
    return data.draw(st.sampled_from(forms))()


def in_python(tree: Any) -> Any:
    """The same tree of containers that Rust does not read."""

    class Items(list[Any]):
        pass

    if isinstance(tree, Mapping):
        return OrderedDict((key, in_python(tree[key])) for key in reversed(list(tree)))
    if isinstance(tree, Layer):
        return Layer(*map(in_python, tree))
    return Items(map(in_python, tree)) if isinstance(tree, list | tuple) else tree


@settings(max_examples=150, deadline=None)
@given(data=st.data(), tree=TREES)
def test_a_tree_steps_as_the_flat_list(data: Any, tree: Any) -> None:
    assume(tree != 0 and names_of(tree))
    case, dtype = data.draw(st.sampled_from(RUNS))
    backend = data.draw(st.sampled_from([None, None, "reference"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))

    def random(shape: tuple[int, ...]) -> Any:
        return np.asarray(rng.standard_normal(shape)).astype(dtype)

    params = filled(tree, random)
    bound, given, made = (copy.deepcopy(params) for _ in range(3))
    flat = [array.copy() for array in fs.tree.flatten(params).values()]
    steps, updates, makes = case.make(bound), case.make(None), case.make(None)
    steps.backend = updates.backend = makes.backend = backend
    plain = case.make(flat)
    names = names_of(tree)
    for _ in range(3):
        grads = filled(tree, lambda shape: random(shape) if rng.random() < 0.8 else None)
        by_number = [leaf for _, leaf, held in fs.tree.walk(grads) if held is None]
        kept = [leaf is not None for _, leaf, held in fs.tree.walk(tree) if held is None]
        by_number = [g for g, is_place in zip(by_number, kept, strict=True) if is_place]
        plain.step(by_number)
        steps.step(as_it_may_come(data, steps, grads))
        updates.update(given, as_it_may_come(data, updates, grads))
        made = makes.updated(made, as_it_may_come(data, makes, grads))
        assert fs.tree.map(lambda _: 0, made) == fs.tree.map(lambda _: 0, tree)
        for found in (bound, given, made):
            assert list(fs.tree.flatten(found)) == names
            for array, wanted in zip(fs.tree.flatten(found).values(), flat, strict=True):
                assert_same_bits(array, wanted)
    for opt in (steps, updates, makes):
        keys = names if opt._names is not None else list(range(len(flat)))
        assert list(opt.state) == [keys[i] for i in plain.state]
        for found, wanted in zip(opt.state.values(), plain.state.values(), strict=True):
            assert found.keys() == wanted.keys()
            for name, value in wanted.items():
                assert_same_bits(np.array(found[name], float), np.array(value, float))


@settings(max_examples=200, deadline=None)
@given(tree=TREES)
def test_unflatten_is_the_opposite_of_flatten(tree: Any) -> None:
    assume(names_of(tree) or not _leaves(tree))
    numbered = filled(tree, np.zeros)
    arrays = fs.tree.flatten(numbered)
    again = fs.tree.unflatten(numbered, dict(reversed(arrays.items())))
    assert all(a is b for a, b in zip(_leaves(again), _leaves(numbered), strict=True))
    assert fs.tree.map(lambda _: 0, again) == fs.tree.map(lambda _: 0, tree)
    assert all(fs.tree.flatten(again)[name] is array for name, array in arrays.items())


def _leaves(tree: Any) -> list[Any]:
    return [leaf for _, leaf, held in fs.tree.walk(tree) if held is None and leaf is not None]


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        ([0, 0], ["0", "1"]),
        ({"b.c": 0, "a": None}, ["b.c"]),
        ({"b.c": 0, "a": []}, ["'b.c'"]),
        ({"layers": [{"W": 0}, {"W": 0, "b": None}], "v": 0}, ["layers.0.W", "layers.1.W", "v"]),
        ([Layer(0, None), (0, [0])], ["0.W", "1.0", "1.1.0"]),
        ({"": {"": 0}, "a.b": (0,)}, [".", "'a.b'.0"]),
        ({Key.DOTTED: {Key.W: 0}}, ["'a.b'.W"]),
        (0, [""]),
        ([[], {}, None], []),
    ],
)
def test_names(tree: Any, names: list[str]) -> None:
    assert list(fs.tree.flatten(tree)) == names
    assert all(type(name) is str for name in fs.tree.flatten(tree))


def nested(depth: int) -> Any:
    tree: Any = np.zeros(2)
    for _ in range(depth):
        tree = [tree]
    return tree


def test_as_deep_as_it_goes() -> None:
    params, grads = nested(100), nested(100)
    grads = fs.tree.map(np.ones_like, grads)
    opt = fs.SGD(params, lr=1.0)
    opt.step(grads)
    twin = pickle.loads(pickle.dumps(opt))
    twin.step(grads)
    assert list(opt.state) == list(twin.state)
    assert (_leaves(fs.SGD(lr=1.0).updated(params, grads))[0] == -2).all()
    assert (_leaves(params)[0] == -1).all()
    with pytest.raises(ValueError, match="in 100 others"):
        fs.SGD(nested(101))


@pytest.mark.parametrize("unbound", [False, True])
def test_rebind(unbound: bool) -> None:
    params, new = made(), made(8.0)
    opt = fs.Momentum(None if unbound else params, lr=1.0, momentum=0.5)
    step = (lambda p, g: opt.update(p, g)) if unbound else (lambda _, g: opt.step(g))
    step(params, made(1.0))
    for bad in (made()["layers"], {**made(), "x": np.zeros(1)}, [np.zeros(2)]):
        with pytest.raises(
            ValueError, match=r"must be a dict with the names|parameters have the names"
        ):
            opt.rebind(bad)
    opt.rebind({"v.0": new["v.0"], "layers": new["layers"]})  # in any order
    step(new, made(0.0))
    assert all((array == 7.5).all() for array in fs.tree.flatten(new).values())
    assert all((array == -1).all() for array in fs.tree.flatten(params).values())
    opt.rebind(fs.tree.flatten(params))
    step(params, made(0.0))
    assert all((array == -1.25).all() for array in fs.tree.flatten(params).values())
    if not unbound:
        opt.rebind(new)
        new["layers"][0]["W"] = np.zeros(2)
        with pytest.raises(ValueError, match=r"parameter 'layers\.0\.W' was replaced"):
            opt.step(made(1.0))


def test_saved_and_loaded_by_name(tmp_path: Path) -> None:
    params, other = made(), made(5.0)
    opt, twin = fs.Adam(params), fs.Adam(other)
    opt.step(made(1.0))
    opt.save(tmp_path / "f")
    twin.load(tmp_path / "f")
    unbound = fs.Adam()
    unbound.load_state_dict(opt.state_dict())
    assert opt.state_dict()["param_groups"][0]["param_names"] == list(fs.tree.flatten(params))
    third = copy.deepcopy(params)
    opt.step(made(1.0))
    twin.step(made(1.0))
    unbound.update(third, made(1.0))
    for name, wanted in fs.tree.flatten(params).items():
        assert_same_bits(fs.tree.flatten(other)[name], wanted)
        assert_same_bits(fs.tree.flatten(third)[name], wanted)
    fs.save_checkpoint(tmp_path / "g", params=params)
    fs.load_checkpoint(tmp_path / "g", params=(fourth := made()))
    assert all((fs.tree.flatten(fourth)[n] == p).all() for n, p in fs.tree.flatten(params).items())
    with pytest.raises(ValueError, match=r"the state dict lacks|different"):
        fs.Adam(made()["layers"]).load_state_dict(opt.state_dict())


def test_groups_of_trees() -> None:
    first: dict[str, Any] = {"W": [np.zeros(2), np.zeros(1)], "none": None}
    second = {"b": np.zeros(3)}
    opt = fs.SGD([{"params": first, "lr": 1.0}, {"params": second, "lr": 2.0}])
    assert opt.param_groups[0]["param_names"] == ["W.0", "W.1"]
    grads = [{"W": [np.ones(2), None], "none": None}, {"b": np.ones(3)}]
    opt.step(grads)
    opt.step(tuple(grads))
    opt.step({"W.0": np.ones(2), "b": np.ones(3), "W.1": np.ones(1)})
    assert [float(a.flat[0]) for a in (*first["W"], second["b"])] == [-3.0, -1.0, -6.0]
    for bad, message in [
        (grads[:1], "or a list of the 2 groups' trees, found a list of 1"),
        ([grads[0], {"c": 1}], "have nothing at 'b', wanted an array"),
        ({"W.0": np.ones(2)}, r"missing \['W.1', 'b'\]"),
        (np.ones(2), "groups' trees, found an ndarray"),
    ]:
        with pytest.raises(ValueError, match=message):
            opt.step(bad)
    opt.add_param_group({"params": [[np.zeros(1)]], "param_names": ["0.0"]})
    opt.step([*grads, [[np.ones(1)]]])
    twin = pickle.loads(pickle.dumps(opt))
    twin.step([*grads, [[np.ones(1)]]])
    opt.rebind(opt.param_groups)
    with pytest.raises(ValueError, match="found 'b' twice"):
        opt.add_param_group({"params": {"b": np.zeros(1)}})
    with pytest.raises(ValueError, match="named and unnamed"):
        opt.add_param_group({"params": [np.zeros(1)]})
    with pytest.raises(ValueError, match=r"param_names are .*, wanted"):
        opt.add_param_group({"params": [[np.zeros(1)]], "param_names": ["x"]})
    first["W"][0] = np.zeros(2)
    opt.step([*grads, [[np.ones(1)]]])  # rebind to the groups' own lists watches those
    other = fs.SGD([{"params": [("x", np.zeros(1))]}, {"params": first}])
    first["W"][0] = np.zeros(2)
    with pytest.raises(ValueError, match=r"parameter 'W\.0' was replaced in your list"):
        other.step({"x": None, "W.0": None, "W.1": None})


def test_a_list_of_dicts_is_a_tree() -> None:
    layers = [{"W": np.zeros(2), "b": np.zeros(1)} for _ in range(2)]
    opt = fs.SGD(layers, lr=1.0)
    opt.step([{"W": np.ones(2), "b": np.ones(1)}, {"b": np.ones(1), "W": np.ones(2)}])
    assert [float(layer["W"][0]) for layer in layers] == [-1.0, -1.0]
    assert opt._names == ["0.W", "0.b", "1.W", "1.b"]
