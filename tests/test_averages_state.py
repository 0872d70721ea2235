"""Averages of weights saved and loaded, and what is refused."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.averages import EMA, Mean
from support.arrays import Array, assert_same_bits
from support.averages import made


def test_state_dicts_go_on(tmp_path: Path) -> None:
    params, ema = made()
    mean = Mean(params)
    mean.update()
    saved = ema.state_dict()
    path = tmp_path / "run"
    fs.save_checkpoint(path, params=params, averages={"ema": ema, "mean": mean})
    alone = tmp_path / "alone"
    fs.save_checkpoint(alone, averages=ema)
    fresh: list[tuple[dict[str, Array], EMA]] = []
    for how in ("state dict", "checkpoint", "alone", "pickle", "deepcopy"):
        other = {name: p.copy() for name, p in params.items()}
        again, mean_again = EMA(other), Mean(other)
        if how == "state dict":
            again.load_state_dict(saved)
        elif how == "checkpoint":
            target = {"ema": again, "mean": mean_again}
            fs.load_checkpoint(path, params=other, averages=target)
            assert mean_again.updates == 1
        elif how == "alone":
            fs.load_checkpoint(alone, averages=again)
        else:
            both = (params, ema)
            other, again = (
                pickle.loads(pickle.dumps(both)) if how == "pickle" else copy.deepcopy(both)
            )
        assert (again.updates, again.decay, again.warmup) == (2, 0.5, True)
        fresh.append((other, again))
    for live, average in [(params, ema), *fresh]:
        live["w"] += 3
        average.update()
        with average.applied():
            assert_same_bits(live["w"], ema.averages["w"])
        for key, wanted in ema.averages.items():
            assert_same_bits(average.averages[key], wanted)
    assert saved["updates"] == 2
    assert not np.array_equal(saved["averages"]["w"], ema.averages["w"])


BAD_STATES: list[tuple[Any, str]] = [
    (lambda s: 3, "must be a dict of ('updates', 'averages', 'options'), found 'int'"),
    (lambda s: fs.Adam([np.ones(2)]).state_dict(), "must be a dict of ('updates', 'averages'"),
    (lambda s: Mean([np.ones(2)]).state_dict(), "the state dict lacks option 'decay'"),
    (lambda s: {**s, "updates": -1}, "the state dict's updates must be a whole number"),
    (lambda s: {**s, "options": {"decay": 2.0, "warmup": 1}}, "Invalid decay value: 2.0"),
    (lambda s: {**s, "options": {"decay": 0.5, "warmup": 1}}, "Invalid warmup value: 1"),
    (lambda s: {**s, "options": {**s["options"], "power": 1}}, "has option 'power'"),
    (lambda s: {**s, "averages": [1]}, "the state dict's averages must be a dict, found [1]"),
    (lambda s: {**s, "averages": {"w": s["averages"]["w"]}}, "the state dict lacks average 'b'"),
    (lambda s: {**s, "averages": {**s["averages"], "c": 1}}, "has average 'c', which is not asked"),
    (
        lambda s: {**s, "averages": {**s["averages"], "b": np.ones((2, 1))}},
        "average 'b' has shape (2, 1) and dtype float64 in the state dict, wanted (2,) and float64",
    ),
    (lambda s: {**s, "averages": {**s["averages"], "b": np.ones(2, "f4")}}, "dtype float32 in the"),
]


@pytest.mark.parametrize(("change", "message"), BAD_STATES)
def test_another_s_state_is_refused(change: Any, message: str) -> None:
    _, ema = made()
    before = ema.state_dict()
    bad = change(ema.state_dict())
    with pytest.raises(ValueError, match=re.escape(message)):
        ema.load_state_dict(bad)
    after = ema.state_dict()
    assert {**after, "averages": 0} == {**before, "averages": 0}
    for key, array in before["averages"].items():
        assert_same_bits(after["averages"][key], array)


def test_a_checkpoint_of_another_is_refused(tmp_path: Path) -> None:
    params, ema = made()
    path = tmp_path / "run"
    fs.save_checkpoint(path, averages={"ema": ema})
    for target, message in [
        ({"ema": Mean(params)}, "has the state of 'EMA', wanted 'Mean'"),
        ({"other": EMA(params)}, "lacks average 'other'"),
        ({"ema": EMA([params["w"]])}, "lacks average 0"),
        (EMA(params), "lacks an unnamed average"),
    ]:
        with pytest.raises(ValueError, match=message):
            fs.load_checkpoint(path, averages=target)
    for unfit in (fs.SGD(params), 3):
        with pytest.raises(TypeError, match="averages must be one of"):
            fs.save_checkpoint(path, averages=unfit)
    with pytest.raises(ValueError, match="without '/'"):
        fs.save_checkpoint(path, averages={"a/b": ema})
    with pytest.raises(ValueError, match="also has averages"):
        fs.load_checkpoint(path)


BAD_CALLS: list[tuple[Any, type[Exception], str]] = [
    (lambda p: EMA([p], 1.5), ValueError, "Invalid decay value: 1.5 (decay must be a number in"),
    (lambda p: EMA([p], -0.1), ValueError, "Invalid decay value: -0.1"),
    (lambda p: EMA([p], float("nan")), ValueError, "Invalid decay value: nan"),
    (lambda p: setattr(EMA([p]), "decay", 2), ValueError, "Invalid decay value: 2"),
    (lambda p: EMA([p], warmup=3), ValueError, "Invalid warmup value: 3"),  # type: ignore[arg-type]
    (lambda p: EMA([p], dtype="int8"), ValueError, "Invalid dtype value: 'int8'"),
    (lambda p: EMA(None), TypeError, "params must be arrays to average, found None"),
    (lambda p: EMA([]), ValueError, "empty parameter list"),
    (lambda p: EMA([p, p]), ValueError, "same array"),
    (lambda p: EMA([np.ones(2, int)]), TypeError, "parameter 0 has dtype int64"),
    (lambda p: EMA(np.broadcast_to(p, (3, 2))), ValueError, "is read-only"),
    (lambda p: Mean([p]).applied().__enter__(), ValueError, "there is no average yet"),
    (lambda p: EMA([p]).rebind([np.ones(3)]), ValueError, "wanted shape (2,)"),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD_CALLS)
def test_bad_calls(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call(np.ones(2))
