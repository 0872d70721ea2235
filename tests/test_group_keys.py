"""What may be an entry of a group: options, a name, what is the user's, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.schedulers import StepLR
from support.arrays import assert_same_bits


def test_unknown_keys_are_refused_at_the_next_step() -> None:
    p = np.ones(3)
    opt = fs.SGD([p], lr=0.5)
    opt.step([np.ones(3)])
    before = p.copy()
    for key, error, message in [
        ("learning_rate", ValueError, "did you mean 'lr'"),
        ("momentun", ValueError, "did you mean 'momentum'"),
        ("whatever", ValueError, "no option 'whatever'; entries"),
        (3, TypeError, "must be a str, found int"),
    ]:
        opt.param_groups[0][key] = 0.1  # type: ignore[index]
        with pytest.raises(error, match=message):
            opt.step([np.ones(3)])
        with pytest.raises(error, match=message):
            opt.step([np.ones(3)])
        del opt.param_groups[0][key]  # type: ignore[arg-type]
        np.testing.assert_array_equal(p, before)
    opt.step([np.ones(3)])


def test_what_is_the_users_in_a_group() -> None:
    opt = fs.SGD([{"params": [np.ones(3)], "name": "head", "_note": object()}], lr=0.5)
    StepLR(opt, step_size=1)
    opt.step([np.ones(3)])
    opt.param_groups[0]["_note"] = []
    opt.step([np.ones(3)])
    saved = opt.state_dict()
    assert saved["param_groups"][0]["name"] == "head"
    assert "_note" not in saved["param_groups"][0]
    other = fs.SGD([{"params": [np.ones(3)], "name": "tail", "_note": 3}])
    other.load_state_dict(saved)
    assert (other.param_groups[0]["name"], other.param_groups[0]["_note"]) == ("head", 3)
    assert "_note" in copy.deepcopy(opt).param_groups[0]
    opt.param_groups[0]["name"] = 3
    with pytest.raises(TypeError, match="name of a param group"):
        opt.load_state_dict(opt.state_dict())


def test_a_name_is_kept_in_checkpoints(tmp_path: Any) -> None:
    opt = fs.SGD([{"params": [np.ones(3)], "name": "head", "_note": object()}])
    opt.step([np.ones(3)])
    opt.save(tmp_path / "run")
    other = fs.SGD([np.ones(3)])
    other.load(tmp_path / "run")
    assert other.param_groups[0]["name"] == "head"
    assert "_note" not in other.param_groups[0]


class Wild:
    """A key that changes the dict when it is compared with ``params``."""

    def __init__(self, of: dict[Any, Any]) -> None:
        self.of, self.compared = of, 0

    def __hash__(self) -> int:
        return hash("params")

    def __eq__(self, other: object) -> bool:
        self.compared += 1
        self.of[f"_{self.compared}"] = 1
        return False


class WildStr(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")


def test_a_wild_key_is_refused_and_never_compared() -> None:
    opt = fs.SGD([np.ones(3)])
    opt.step([np.ones(3)])
    group: Any = opt.param_groups[0]
    wild = Wild(group)
    for key in (wild, WildStr("_mine")):
        group[key] = 1
        compared = wild.compared
        for _ in range(2):
            with pytest.raises(TypeError, match="must be a str, found Wild"):
                opt.step([np.ones(3)])
        assert wild.compared == compared
        last = list(group.items())
        group.clear()
        group.update((k, v) for k, v in last if type(k) is str)
    opt.step([np.ones(3)])


@pytest.mark.parametrize("name", ["weight_decay", "maximize"])
def test_what_changes_while_options_are_read_is_seen_at_the_next_step(name: str) -> None:
    armed: list[Callable[[], object]] = []

    class Mine(fs.SGD):
        @classmethod
        def check(cls, options: dict[str, Any]) -> None:
            super().check(options)
            if armed:
                armed.pop()()

    p, value = np.ones(1), 0.5 if name == "weight_decay" else True
    opt, fresh = Mine([p], lr=1.0), fs.SGD([np.ones(1)], lr=0.125, **{name: value})
    opt.step([np.zeros(1)])
    armed.append(lambda: opt.param_groups[0].update({name: value}))
    opt.param_groups[0]["lr"] = 0.125
    opt.step([np.zeros(1)])
    for _ in range(2):
        p[:] = fresh._parameters()[0][:] = 1
        opt.step([np.ones(1)])
        fresh.step([np.ones(1)])
        assert_same_bits(p, fresh._parameters()[0])
