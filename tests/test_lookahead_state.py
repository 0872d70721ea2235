"""Lookahead saved and loaded, what is refused, and interrupts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import (
    assert_same_bits,
)
from support.interrupts import interrupts
from support.wrappers import (
    following,
    told,
    waves,
)


@pytest.mark.parametrize("end", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("how", ["state dict", "file", "pickle", "deepcopy", "copy"])
def test_it_goes_on(how: str, end: int, tmp_path: Path) -> None:
    params, opt = following()
    for t in range(end):
        opt.step(waves(params, t))
    other: Any
    if how == "copy":  # of the same parameters
        other, again = params, copy.copy(opt)
        assert told(again.state_dict()) == told(opt.state_dict())
        before = told(opt.state_dict())
        for t in range(5):
            again.step(waves(params, t))
        assert told(opt.state_dict()) == before
        return
    if how in ("state dict", "file"):
        other, again = following()
        again.k = 7
        if how == "file":
            opt.save(tmp_path / "run")
            again.load(tmp_path / "run")
        else:
            for name, p in params.items():
                other[name][...] = p
            again.load_state_dict(opt.state_dict())
    else:
        both = (params, opt)
        other, again = pickle.loads(pickle.dumps(both)) if how == "pickle" else copy.deepcopy(both)
    assert (again.k, again.alpha) == (3, 0.3)
    assert told(again.state_dict()) == told(opt.state_dict())
    for t in range(end, end + 5):
        for live, one in ((params, opt), (other, again)):
            one.step(waves(live, t))
        for name, p in params.items():
            assert_same_bits(other[name], p)


def test_a_snapshot_and_the_live_arrays() -> None:
    params, opt = following()
    opt.step(waves(params, 0))
    snapshot, live = opt.state_dict(), opt.state_dict(copy=False)
    for t in range(3):
        opt.step(waves(params, t))
    assert live["wrappers"][0]["slow"]["w"] is opt.slow["w"]
    assert (snapshot["wrappers"][0]["slow"]["w"] == 1).all()
    assert not (opt.slow["w"] == 1).any()


def test_what_fits_by_name(tmp_path: Path) -> None:
    params, opt = following()
    for t in range(4):
        opt.step(waves(params, t))
    opt.save(tmp_path / "run")
    for how in ("file", "state dict", "of a plain one"):
        head = {"d": np.ones(2), "new": np.ones(6), "w": np.ones((3, 4), np.float32)}
        other = fs.Lookahead(fs.Adam(head), k=9)
        other.step(waves(head, 0))
        if how == "file":
            report = other.load(tmp_path / "run", strict=False)
        elif how == "state dict":
            report = other.load_state_dict(opt.state_dict(), strict=False)
        else:
            report = other.load_state_dict(opt.optimizer.state_dict(), strict=False)
        assert report.loaded == ("d", "w")
        same = how != "of a plain one"
        assert (told(other.slow["w"]) == told(opt.slow["w"])) is same
        assert other.k == 9
        np.testing.assert_array_equal(other.slow["new"], 1)
        other.step(waves(head, 0))


BAD: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda own: own.pop("k"), "lacks entry 'k'"),
    (lambda own: own.update(more=1), "has entry 'more', which is not asked for"),
    (lambda own: own.update(k=0), "k must be an integer >= 1, found 0"),
    (lambda own: own.update(alpha=2.0), r"alpha must be a number in \[0, 1\]"),
    (lambda own: own.update(steps=-1), "steps of Lookahead must be a whole number"),
    (lambda own: own.update(slow=3), "must be a dict, found 3"),
    (lambda own: own["slow"].pop("w"), "Lookahead lacks slow weight 'w'"),
    (lambda own: own["slow"].update(x=1), "slow weight 'x', which is not asked for"),
    (lambda own: own["slow"].update(w=np.ones(3)), r"'w' has shape \(3,\) and dtype float64, wan"),
    (lambda own: own["slow"].update(d=[1.0, 2.0]), "'d' has shape None and dtype None, wanted"),
    (lambda own: own.update({"class": "Accumulator"}), r"wrappers \['Accumulator'\], wanted 'Look"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_bad_state_dicts(spoil: Callable[[dict[str, Any]], object], message: str) -> None:
    params, opt = following()
    opt.step(waves(params, 0))
    before = told(opt.state_dict())
    saved = opt.state_dict()
    spoil(saved["wrappers"][0])
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(saved)
    for wrappers in (3, [3]):
        with pytest.raises(ValueError, match="'wrappers' must be a list of dicts"):
            opt.load_state_dict({**saved, "wrappers": wrappers})
    good = opt.state_dict()
    good["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="learning rate"):
        opt.load_state_dict(good)
    assert told(opt.state_dict()) == before


def test_state_of_wrapped_and_plain_optimizers_is_not_mistaken(tmp_path: Path) -> None:
    params, opt = following()
    plain = fs.Adam(params)
    opt.save(tmp_path / "wrapped")
    plain.save(tmp_path / "plain")
    with pytest.raises(ValueError, match=r"wrappers \['Lookahead'\], wanted none; load it into an"):
        plain.load(tmp_path / "wrapped")
    with pytest.raises(ValueError, match=r"wrappers \[\], wanted 'Lookahead' first; load it into"):
        opt.load(tmp_path / "plain")
    opt.optimizer.load(tmp_path / "plain")
    with pytest.raises(ValueError, match=r"wrappers \['Lookahead'\], wanted none"):
        fs.Adam().load_state_dict(opt.state_dict())


def test_several_in_one_file(tmp_path: Path) -> None:
    params, opt = following()
    opt.step(waves(params, 0))
    other = fs.Lookahead(fs.SGD([np.ones(2)]), k=1)
    other.step([np.ones(2)])
    both = {"a": opt, "b": other, "c": fs.SGD([np.ones(1)])}
    fs.save_checkpoint(tmp_path / "run", optimizer=both)
    before = [told(one.state_dict()) for one in both.values()]
    opt.step(waves(params, 1))
    other.step([np.ones(2)])
    fs.load_checkpoint(tmp_path / "run", optimizer=both)
    assert [told(one.state_dict()) for one in both.values()] == before


@pytest.mark.parametrize("already", [0, 1])
def test_a_step_is_whole_or_none_whenever_it_is_interrupted(already: int) -> None:
    """With the slow weights' step, and before it."""
    params, opt = following()
    opt.k = 2

    def begun() -> Callable[[], object]:
        nonlocal params, opt
        params, opt = following()
        opt.k = 2
        for t in range(already):
            opt.step(waves(params, t))
        return lambda: opt.step(waves(params, 9))

    def now() -> Any:
        state = opt.state_dict()
        if not opt.state:  # slow weights may have begun
            state["wrappers"] = []
        return told([params, state])

    begun()
    before = now()
    opt.step(waves(params, 9))
    after = now()
    for _ in interrupts(begun):
        assert now() in (before, after)
        whole = now() == after
        opt.step(waves(params, 9))
        assert whole or now() == after
