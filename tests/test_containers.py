"""The list or dict that parameters came in: one that is replaced there is seen; `rebind`."""

from __future__ import annotations

import copy
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

Made = tuple[fs.Optimizer, Any, Callable[[], Any]]


def _dict() -> Made:
    d = {"w": np.zeros(3), "b": np.zeros(2)}
    opt = fs.Momentum(d, lr=1.0, momentum=0.5)
    return opt, d, lambda: opt.step({"w": np.ones(3), "b": np.ones(2)})


def _list() -> Made:
    params = [np.zeros(3), np.zeros(2)]
    opt = fs.Momentum(params, lr=1.0, momentum=0.5)
    return opt, params, lambda: opt.step([np.ones(3), np.ones(2)])


def _pairs() -> Made:
    params = [("w", np.zeros(3)), ("b", np.zeros(2))]
    opt = fs.Momentum(params, lr=1.0, momentum=0.5)
    return opt, params, lambda: opt.step({"w": np.ones(3), "b": np.ones(2)})


def _group() -> Made:
    d = {"b": np.zeros(2)}
    opt = fs.Momentum([{"params": {"w": np.zeros(3)}}, {"params": d}], lr=1.0, momentum=0.5)
    return opt, d, lambda: opt.step({"w": np.ones(3), "b": np.ones(2)})


def _added() -> Made:
    params = [np.zeros(2)]
    opt = fs.Momentum([np.zeros(3)], lr=1.0, momentum=0.5)
    opt.add_param_group({"params": params})
    return opt, params, lambda: opt.step([np.ones(3), np.ones(2)])


#: How it is made; what takes the place of the last parameter; what the error says.
MADE = [
    (_dict, "b", np.zeros(2), r"parameter 'b' .* your dict.*write d\['b'\]\[...\] = "),
    (_list, 1, np.zeros(2), r"parameter 1 .* your list.*write params\[1\]\[...\] = "),
    (_pairs, 1, ("b", np.zeros(2)), "parameter 'b' .* your list"),
    (_group, "b", np.zeros(2), r"parameter 'b' .* your dict"),
    (_added, 0, np.zeros(2), r"parameter 1 .* your list.*write params\[0\]\[...\] = "),
]


@pytest.mark.parametrize(("make", "key", "other", "message"), MADE)
def test_a_replaced_parameter_is_seen(make: Any, key: Any, other: Any, message: str) -> None:
    opt, container, step = make()
    step()
    old, container[key] = container[key], other
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            step()
    assert opt.state[next(iter(opt.state))]["step"] == 1
    container[key] = old
    step()
    del container[key]  # nobody takes anything else for it
    step()
    assert opt.state[next(iter(opt.state))]["step"] == 3


@pytest.mark.parametrize(("make", "key", "other", "message"), MADE)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_watch_too(how: Any, make: Any, key: Any, other: Any, message: str) -> None:
    opt, container, step = make()
    step()
    twin, theirs = how((opt, container)) if how is not copy.copy else (copy.copy(opt), container)
    grads = [np.ones(3), np.ones(2)]
    if twin._names is not None:
        grads = dict(zip(twin._names, grads, strict=True))  # type: ignore[assignment]
    twin.step(grads)
    assert [entry["step"] for entry in opt.state.values()] == [1, 1]
    assert [entry["step"] for entry in twin.state.values()] == [2, 2]
    theirs[key] = other
    with pytest.raises(ValueError, match=message):
        twin.step(grads)


class Doubling(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Makes two arrays of one that is met twice, as joblib does."""

    def memoize(self, obj: Any) -> None:
        if not isinstance(obj, np.ndarray):
            super().memoize(obj)


@pytest.mark.parametrize("params", [np.zeros(3), (np.zeros(3),), [np.zeros(3)]])
def test_a_pickler_that_doubles_arrays_is_seen(params: Any) -> None:
    opt = fs.SGD(params, lr=1.0)
    file = io.BytesIO()
    Doubling(file, 2).dump((params, opt))
    theirs, twin = pickle.loads(file.getvalue())
    with pytest.raises(ValueError, match="makes two arrays of one"):
        twin.step([np.ones(3)])
    twin.rebind(theirs)
    twin.step([np.ones(3)])
    assert (np.asarray(theirs) == -1).all()


def test_more_entries_and_another_order_are_fine() -> None:
    opt, d, step = _dict()
    d["more"] = np.zeros(1)
    step()
    d["w"] = d.pop("w")  # the same array, at the end now
    step()
    opt, params, step = _list()
    params.append("whatever")
    step()
    params[0] -= 1.0  # in place: the same array
    step()
    assert opt.state[0]["step"] == 2


def test_what_cannot_be_watched() -> None:
    """Tuples and generators cannot change; a mapping of another class is taken as it is."""
    w = np.zeros(3)
    for params in ((w,), iter([w]), OrderedDict(w=w), w):
        opt = fs.SGD(params, lr=1.0)
        opt.step({"w": np.ones(3)} if opt._names else [np.ones(3)])
    assert (w == -4).all()


def test_a_mapping_that_makes_new_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.ones(3))
    with np.load(tmp_path / "w.npz") as loaded:
        with pytest.raises(ValueError, match=r"NpzFile makes a new array .* dict\(params\)"):
            fs.SGD(loaded)
        with pytest.raises(ValueError, match="NpzFile makes a new array"):
            fs.SGD().update(loaded, {"w": np.ones(3)})
        params = dict(loaded)
    fs.SGD(params, lr=1.0).step({"w": np.ones(3)})
    assert (params["w"] == 0).all()


@pytest.mark.parametrize(("make", "key", "other", "message"), MADE[:3])
def test_rebind_goes_on_and_watches_the_new_one(
    make: Any, key: Any, other: Any, message: str
) -> None:
    opt, container, step = make()
    step()
    new = copy.deepcopy(container)
    opt.rebind(new)
    container[key] = other  # nobody's any more
    step()
    last = new[key][1] if isinstance(new[key], tuple) else new[key]
    assert (last == -1 - 1.5).all()
    assert opt.param_groups[0]["params"][1] is last
    new[key] = other
    with pytest.raises(ValueError, match=message):
        step()


REFUSED: list[tuple[Callable[[list[Any]], Any], type[Exception], str]] = [
    (lambda p: p[:1], ValueError, "found 1 parameters, wanted 2"),
    (lambda p: [p[0], np.zeros(3)], ValueError, r"parameter 1 has shape \(3,\)"),
    (lambda p: [p[0], np.zeros(2, np.float32)], ValueError, "parameter 1 has .* dtype float32"),
    (lambda p: [p[0], np.zeros(2, int)], TypeError, "parameter 1 has dtype int64"),
    (lambda p: [p[0], p[0][:2]], ValueError, "parameter 0 and parameter 1 overlap"),
    (lambda p: {"a": p[0], "b": p[1]}, ValueError, "this optimizer's have no names"),
    (lambda p: [p[0], None], ValueError, "have no names, found .*; put them in one list"),
]


@pytest.mark.parametrize(("bad", "error", "message"), REFUSED)
def test_a_refused_rebind_changes_nothing(bad: Any, error: Any, message: str) -> None:
    opt, params, step = _list()
    step()
    with pytest.raises(error, match=message):
        opt.rebind(bad([np.zeros(3), np.zeros(2)]))
    read_only = [np.zeros(3), np.zeros(2)]
    read_only[1].setflags(write=False)
    with pytest.raises(ValueError, match="parameter 1 is read-only"):
        opt.rebind(read_only)
    with pytest.raises(ValueError, match=r"parameter 0.* and .*parameter 0.* the same array"):
        opt.rebind([opt.state[0]["velocity"], np.zeros(2)])
    step()
    assert (params[1] == -1 - 1.5).all()


def test_rebind_with_groups() -> None:
    opt, _, step = _added()
    step()
    new = [np.zeros(3), np.zeros(2)]
    opt.rebind(new)
    step()
    assert [(p == -1.5).all() for p in new] == [True, True]
    assert opt.param_groups[1]["params"][0] is new[1]
    # Group by group, each with a list of its own, which is watched.
    first, second = [np.zeros(3)], [np.zeros(2)]
    opt.rebind([{"params": first}, {"params": second}])
    step()
    assert (second[0] == -1.75).all()
    second[0] = np.zeros(2)
    with pytest.raises(ValueError, match="parameter 1 was replaced in your list"):
        step()
    opt.rebind(opt.param_groups)
    step()


def test_what_is_saved_and_loaded_is_what_the_model_has(tmp_path: Path) -> None:
    opt, d, step = _dict()
    step()
    opt.save(tmp_path / "f")
    d["b"] = np.zeros(2)
    with pytest.raises(ValueError, match="parameter 'b' was replaced in your dict"):
        opt.save(tmp_path / "g")
    with pytest.raises(ValueError, match="parameter 'b' was replaced in your dict"):
        opt.load(tmp_path / "f")
    assert (d["b"] == 0).all()
