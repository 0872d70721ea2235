"""`replace`: a parameter of other rows goes on with the state of those that stay."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASE, CASES, RUN_IDS, RUNS, Case
from support.arrays import arrays_in, assert_same_bits, assert_same_state, gradients
from support.initial import initial

ROWS = 6
#: By what happens: the old row of each new one, None where it is left out.
INDEXES: dict[str, tuple[int, list[int] | None]] = {
    "grown": (8, None),
    "shrunk": (4, None),
    "same": (6, None),
    "pruned": (4, [0, 2, 3, 5]),
    "split and added": (8, [0, 1, -1, 2, 2, 5, 4, -1]),
    "none is left": (0, []),
    "all new": (2, [-1, -1]),
}


def by_hand(case: Case, opt: fs.Optimizer, rows: list[int]) -> dict[str, Any]:
    """Return a state dict with these rows of the state of "w"."""
    saved = opt.state_dict()
    entry = saved["state"].get(0, {})
    for name, old in arrays_in(entry).items():
        if name in case.optimizer.FACTORS[1:]:
            entry[name] = old[: len(rows)]  # one for all rows
            continue
        new = np.full((len(rows), *old.shape[1:]), initial(case, name)).astype(old.dtype)
        for i, row in enumerate(rows):
            if row >= 0:
                new[i] = old[row]
        entry[name] = new
    return saved


def run(case: Case, dtype: Any, count: int, index: list[int] | None, order: Any = "C") -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal((ROWS, 3)).astype(dtype)
    params = {"w": np.array(values, order=order), "b": np.ones(2, dtype)}
    opt = case.make(params)

    def steps(opts: list[fs.Optimizer]) -> None:
        shape = next(iter(opts[0]._parameters())).shape
        for _ in range(3):
            grads = {"w": gradients(rng, shape, dtype), "b": gradients(rng, (2,), dtype)}
            for each in opts:
                each.step(grads)

    steps([opt])
    rows = [i if i < ROWS else -1 for i in range(count)] if index is None else index
    new = rng.standard_normal((count, 3)).astype(dtype)
    mine, theirs = np.array(new, order=order), {"w": new.copy(), "b": params["b"].copy()}
    saved = by_hand(case, opt, rows)
    opt.replace("w", mine, index)
    assert params["w"] is mine is opt.param_groups[0]["params"][0]
    assert_same_bits(mine, new)
    wanted = case.make(theirs)
    wanted.load_state_dict(saved)
    assert_same_state(opt, wanted)
    steps([opt, wanted])
    for name in params:
        assert_same_bits(params[name], theirs[name], name)
    assert_same_state(opt, wanted)


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_the_same_bits_as_state_that_was_built_by_hand(case: Case, dtype: Any) -> None:
    run(case, dtype, *INDEXES["split and added"])


@pytest.mark.parametrize("how", INDEXES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_in_whatever_way_rows_come_and_go(how: str, order: str) -> None:
    for name in (
        "Rprop()",
        "SGD(lr=0.1,momentum=0.9)",
        "Adam(state_dtype=bfloat16,weight_decay=0.1)",
        "Adafactor()",
    ):
        run(CASE[name], np.float32, *INDEXES[how], order)


def test_before_the_first_step_there_is_no_state() -> None:
    params = [np.zeros((2, 2))]
    opt = fs.Adam(params)
    opt.replace(0, np.zeros((3, 2)))
    assert not opt.state
    opt.step([np.ones((3, 2))])
    assert opt.state[0]["step"] == 1


def test_state_that_the_rule_has_left_is_taken_along() -> None:
    opt = fs.Adam([np.zeros((2, 2))], amsgrad=True)
    opt.step([np.ones((2, 2))])
    opt.amsgrad = False
    opt.step([np.ones((2, 2))])
    opt.replace(0, np.zeros((3, 2)), [1, -1, 0])
    opt.amsgrad = True
    opt.step([np.ones((3, 2))])
    assert opt.state[0]["step"] == 3
    assert opt.state[0]["max_exp_avg_sq"].shape == (3, 2)


def w() -> Any:
    return np.zeros((2, 3))


def test_an_array_that_was_resized_in_place() -> None:
    params = {"w": w(), "b": w()}
    opt = fs.Momentum(params, lr=1.0)
    grads = {name: np.ones((2, 3)) for name in params}
    opt.step(grads)
    for array in params.values():
        array.resize((4, 3), refcheck=False)
    with pytest.raises(ValueError, match=r"'w' has shape \(4, 3\) .*, wanted shape \(2, 3\)"):
        opt.step(grads)
    with pytest.raises(ValueError, match=r"as before; Optimizer\.replace takes other rows"):
        opt.rebind(params)
    for name, array in params.items():
        opt.replace(name, array)
    opt.step({name: np.ones((4, 3)) for name in params})
    np.testing.assert_array_equal(params["b"][:, 0], [-2.9, -2.9, -1.0, -1.0])


def test_unbound_by_update() -> None:
    opt, wanted = fs.Adam(), fs.Adam()
    old, new, mine, theirs = {"w": w()}, {"w": np.ones((3, 3))}, {"w": np.ones((3, 3))}, {"w": w()}
    for unbound, params in [(opt, old), (wanted, theirs)]:
        unbound.update(params, {"w": np.ones((2, 3))})
    opt.replace("w", new["w"], [1, -1, 0])
    saved = by_hand(CASE["Adam()"], wanted, [1, -1, 0])
    wanted = fs.Adam()
    wanted.load_state_dict(saved)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"has shape \(2, 3\) .*, wanted shape \(3, 3\)"):
            opt.update(old, {"w": np.ones((2, 3))})
        with pytest.raises(ValueError, match="lies in other memory"):
            opt.update({"w": np.ones((3, 3))}, {"w": np.ones((3, 3))})
        opt.update(new, {"w": np.ones((3, 3))})
        wanted.update(mine, {"w": np.ones((3, 3))})
    assert_same_bits(new["w"], mine["w"])
    assert_same_state(opt, wanted)


def test_unbound_by_updated() -> None:
    opt, wanted = fs.Adam(), fs.Adam()
    g = np.arange(6.0).reshape(2, 3)
    for each in (opt, wanted):
        each.updated(w(), g)
    opt.replace(0, np.empty((3, 3)), [1, -1, 0])
    saved = by_hand(CASE["Adam()"], wanted, [1, -1, 0])
    wanted.reset()
    wanted.load_state_dict(saved)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        opt.updated(w(), g)
    p = q = np.ones((3, 3))
    for _ in range(3):
        p, q = opt.updated(p, np.ones((3, 3))), wanted.updated(q, np.ones((3, 3)))
        assert_same_bits(p, q)
    assert_same_state(opt, wanted)


def test_by_key() -> None:
    opt, p, q = fs.Momentum(lr=1.0), w(), w()
    for key, param in (((1, "W"), p), ("b", q)):
        opt.update_one(key, param, np.ones((2, 3)))
    for bad in ((1, "b"), "(1, 'W')", [1], 0):
        with pytest.raises(ValueError, match=r"name must be one of \[\(1, 'W'\), 'b'\], found"):
            opt.replace(bad, w())
    with pytest.raises(ValueError, match=r"parameter 'b' and parameter .* overlap in memory"):
        opt.replace((1, "W"), q[1:])
    new = np.zeros((3, 3))
    opt.replace((1, "W"), new, [-1, 0, 1])
    with pytest.raises(ValueError, match=r"has shape \(2, 3\) .*, wanted shape \(3, 3\)"):
        opt.update_one((1, "W"), p, np.ones((2, 3)))
    opt.update_one((1, "W"), new, np.ones((3, 3)))
    opt.update_one("b", q, np.ones((2, 3)))
    np.testing.assert_array_equal(new[:, 0], [-1.0, -1.9, -1.9])
    assert [entry["step"] for entry in opt.state.values()] == [2, 2]


def test_a_step_that_waits_is_outdated() -> None:
    opt = fs.Adam([w()])
    opt._prepare([np.ones((2, 3))])
    opt.replace(0, np.zeros((3, 3)))
    with pytest.raises(RuntimeError, match="have changed since this step was prepared"):
        opt._commit()
    opt.step([np.ones((3, 3))])


def test_averages_say_so() -> None:
    params = {"w": w()}
    opt, ema = fs.Adam(params), fs.averages.EMA(params)
    ema.update()
    opt.replace("w", np.zeros((3, 3)))
    for _ in range(2):
        with pytest.raises(ValueError, match="parameter 'w' was replaced in your dict"):
            ema.update()
    with pytest.raises(ValueError, match=r"'w' has shape \(3, 3\).*wanted .*\(2, 3\)"):
        ema.rebind(params)


def test_checkpoints_and_copies_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    params = {"w": w()}
    opt = fs.Adam(params)
    opt.step({"w": np.ones((2, 3))})
    opt.replace("w", np.ones((3, 3)), [0, -1, 1])
    opt.save(path)
    mine = {"w": np.zeros((3, 3))}
    loaded = fs.Adam(mine)
    loaded.load(path)
    for twin in (loaded, copy.copy(opt), copy.deepcopy(opt)):
        assert_same_state(twin, opt)
    assert_same_bits(mine["w"], params["w"])
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        fs.Adam({"w": w()}).load(path)


def test_it_goes_on_with_what_is_an_empty_axis() -> None:
    for case in CASES[:8]:
        opt = case.make([np.zeros((2, 0))])
        opt.step([np.zeros((2, 0))])
        opt.replace(0, np.zeros((5, 0)), [1, 0, -1, 1, 1])
        opt.replace(0, np.zeros((0, 0)))
        opt.replace(0, np.zeros((1, 0)))
        opt.step([np.zeros((1, 0))])
