"""What came one by one, saved and loaded: it comes one by one again."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits
from support.one_by_one import assert_same_entry, begun

W = np.ones(3)


@pytest.mark.parametrize(
    "how",
    [
        copy.deepcopy,
        lambda opt: pickle.loads(pickle.dumps(opt)),
        "state_dict",
        "file",
    ],
    ids=["deepcopy", "pickle", "state_dict", "file"],
)
def test_keys_come_again_after_loading(how: Any, tmp_path: Path) -> None:
    opt, params = begun()
    if how == "file":
        opt.save(tmp_path / "f")
        twin = fs.Adam()
        twin.load(tmp_path / "f")
    elif how == "state_dict":
        twin = fs.Adam()
        twin.load_state_dict(opt.state_dict())
    else:
        twin = how(opt)
    theirs = copy.deepcopy(params)
    # What has not come yet is saved all the same.
    twin.update_one("w", theirs["w"], W)
    saved = twin.state_dict()
    assert saved["param_groups"][0]["param_names"] == ["w", "('k', 2)"]
    assert [entry["step"] for entry in saved["state"].values()] == [2, 1]
    twin.update_one(("k", 2), theirs["k", 2], np.ones(2))
    for key in ("w", ("k", 2)):
        opt.update_one(key, params[key], np.ones_like(params[key]))
    assert list(twin.state) == list(opt.state)
    for key, entry in opt.state.items():
        assert_same_entry(twin.state[key], entry)
        assert_same_bits(theirs[key], params[key])


def test_loading_into_one_that_has_keys() -> None:
    opt, params = begun()
    saved = opt.state_dict()
    opt.update_one("later", np.ones(1), np.ones(1))
    opt.load_state_dict(saved)
    opt.update_one("w", params["w"], W)
    assert opt.state["w"]["step"] == 2
    assert list(opt.state) == ["w", "('k', 2)"]
    opt.load_state_dict(saved)
    with pytest.raises(ValueError, match="has shape"):
        opt.update_one("w", np.ones(4), np.ones(4))
    assert opt.state["w"]["step"] == 1


def test_a_key_that_is_not_among_what_was_loaded(caplog: pytest.LogCaptureFixture) -> None:
    opt, _ = begun()
    twin = fs.Adam()
    twin.load_state_dict(opt.state_dict())
    twin.update_one("W", np.ones(3), W)
    assert "'W' begins with new state" in caplog.text
    unnamed = fs.Adam()
    unnamed.load_state_dict(fs.Adam([np.ones(2)]).state_dict())
    with pytest.raises(ValueError, match="must have names"):
        unnamed.update_one("w", np.ones(2), np.ones(2))


def test_what_cannot_be_saved_says_so() -> None:
    class Layer:
        pass

    layer = Layer()
    opt = fs.Momentum()
    opt.update_one(layer, np.ones(2), np.ones(2))
    assert opt.state[layer]["step"] == 1
    for save in (opt.state_dict, lambda: copy.deepcopy(opt), lambda: pickle.dumps(opt)):
        with pytest.raises(TypeError, match="must be a str, an int or a tuple of these, found"):
            save()


def test_keys_that_equal_plain_ones_are_kept_as_those() -> None:
    class Name(str):
        pass

    opt = fs.Adam()
    p = {0: np.ones(3), ("d", 1, ("x", 1)): np.ones(3), "w": np.ones(3)}
    given: list[Any] = [np.int8(0), ("d", np.int64(1), (np.str_("x"), True)), Name("w")]
    for _ in range(2):
        for key, array in zip(given, p.values(), strict=True):
            opt.update_one(key, array, W)
    assert list(opt.state) == list(p)
    assert [type(key) for key in opt.state] == [int, tuple, str]
    twin = copy.deepcopy(opt)
    for key, array in p.items():
        twin.update_one(key, array.copy(), W)
        opt.update_one(given[list(p).index(key)], array, W)
        assert_same_entry(twin.state[key], opt.state[key])


def test_a_state_dict_is_of_one_moment_while_another_thread_adds_keys() -> None:
    opt = fs.Momentum()

    def add() -> None:
        for i in range(300):
            opt.update_one(i, np.zeros(5), np.ones(5))

    thread = threading.Thread(target=add)
    thread.start()
    while thread.is_alive():
        saved = opt.state_dict()
        (group,) = saved["param_groups"]
        assert len(group["params"]) == len(group.get("param_names", ())) == len(saved["state"])
    thread.join()
    assert len(opt.state) == 300


def test_a_copy_takes_names_that_come_later(caplog: pytest.LogCaptureFixture) -> None:
    opt, w = fs.Adam(lr=0.1), np.ones(3)
    opt.update({"w": w}, {"w": W})
    twin = copy.copy(opt)
    twin.update({"b": np.ones(2), "w": w}, {"b": np.ones(2), "w": W})
    assert {key: entry["step"] for key, entry in twin.state.items()} == {"b": 1, "w": 2}
    assert "'b' begins with new state" in caplog.text
    with pytest.raises(ValueError, match=r"lacks|wanted"):
        copy.copy(twin).update({"w": w.copy()}, {"w": W})
