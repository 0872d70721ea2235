"""Accumulator saved and loaded in the middle of a step, and what is refused."""

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
    Array,
)
from support.wrappers import (
    accumulating,
    told,
    waves_or_none,
)


def with_rows() -> tuple[dict[str, Array], fs.Accumulator]:
    params = {"t": np.ones((4, 2), np.float32), "b": np.ones(3, np.float16)}
    return params, fs.Accumulator(fs.Adagrad(params, lr=0.1), 4)


def rows_of(params: dict[str, Array], t: int) -> dict[str, Any]:
    return {"t": fs.Rows([t % 4, 2], np.full((2, 2), 0.1 * t)), "b": np.full(3, 1.0 / (t + 1))}


RUNS: dict[str, tuple[Callable[[], Any], Callable[..., Any]]] = {
    "around Lookahead": (accumulating, waves_or_none),
    "rows": (with_rows, rows_of),
}


@pytest.mark.parametrize("end", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("how", ["state dict", "file", "pickle", "deepcopy"])
@pytest.mark.parametrize("run", RUNS)
def test_it_goes_on(run: str, how: str, end: int, tmp_path: Path) -> None:
    make, given = RUNS[run]
    params, opt = make()
    for t in range(end):
        opt.step(given(params, t))
    if how in ("state dict", "file"):
        other, again = make()
        again.step(given(other, 5))  # what waits there is forgotten
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
    assert told(again.state_dict()) == told(opt.state_dict())
    for t in range(end, end + 9):
        assert opt.step(given(params, t)).applied == again.step(given(other, t)).applied
    assert told(other) == told(params)
    assert told(again.state_dict()) == told(opt.state_dict())


def test_a_copy_has_its_own_sums() -> None:
    params, opt = accumulating()
    opt.step(waves_or_none(params, 0))
    again = copy.copy(opt)
    assert told(again.state_dict()) == told(opt.state_dict())
    before = told(opt.state_dict())
    again.step(waves_or_none(params, 1))
    assert told(opt.state_dict()) == before
    assert (again.accumulated, opt.accumulated) == (2, 1)


def test_a_snapshot_stays_as_it_was() -> None:
    params, opt = accumulating()
    opt.step(waves_or_none(params, 0))
    snapshot = opt.state_dict()
    before = told(snapshot)
    for t in range(5):
        opt.step(waves_or_none(params, t))
    assert told(snapshot) == before


def test_what_fits_by_name_has_no_unfinished_sums(tmp_path: Path) -> None:
    params, opt = accumulating()
    for t in range(4):
        opt.step(waves_or_none(params, t))
    opt.save(tmp_path / "run")
    other, again = accumulating()
    again.step(waves_or_none(other, 0))
    report = again.load(tmp_path / "run", strict=False)
    assert report.loaded == ("w", "b")
    assert (again.accumulated, again.steps) == (0, 3)
    assert told(again.slow) == told(opt.slow)
    assert told(other) == told(params)


BAD: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda own: own.pop("steps"), "state of Accumulator lacks entry 'steps'"),
    (lambda own: own.update(steps=0), "steps must be an integer >= 1, found 0"),
    (lambda own: own.update(steps=2), "count of Accumulator must be below its steps 2, found 2"),
    (lambda own: own.update(count=1), "must be those of 1 gradients"),
    (lambda own: own.update(count=-1), "count of Accumulator must be a whole number"),
    (lambda own: own.update(sums=3), "must be those of 2 gradients, found 3"),
    (lambda own: own["sums"].append({}), "must be those of 2 gradients"),
    (lambda own: own.update(sums=[None, 3]), "a sum of Accumulator must be a dict, found 3"),
    (lambda own: own["sums"][1].update(x=np.ones(2)), "has sum 'x', which is not asked for"),
    (lambda own: own["sums"][1].update(b=np.ones(5)), r"sum of parameter 'b' has shape \(5,\)"),
    (lambda own: own["sums"][1].update(w=np.ones((2, 3))), "dtype float64, wanted .* float32"),
    (lambda own: own.update(rows=3), "rows of Accumulator must be a dict"),
    (lambda own: own.update(rows={"x": []}), "has rows of 'x', which is not asked for"),
    (lambda own: own.update(rows={"w": 3}), "rows of parameter 'w' in Accumulator do not fit"),
    (lambda own: own.update(rows={"w": [{"indices": [0]}]}), "do not fit: 'values'"),
    (
        lambda own: own.update(rows={"w": [{"indices": [0], "values": np.ones((1, 3))}]}),
        r"values have shape \(1, 3\) and dtype float64, wanted \(1, 3\) and float32",
    ),
    (
        lambda own: own.update(rows={"w": [{"indices": [7], "values": np.ones((1, 3), "f4")}]}),
        "below 2",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_bad_state_dicts(spoil: Callable[[dict[str, Any]], object], message: str) -> None:
    params, opt = accumulating()
    for t in range(2):
        opt.step(waves_or_none(params, t))
    before = told(opt.state_dict())
    saved = opt.state_dict()
    spoil(saved["wrappers"][0])
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(saved)
    assert told(opt.state_dict()) == before
