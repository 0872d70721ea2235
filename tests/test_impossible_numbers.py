"""Numbers that a rule remembers and no run can give: refused, whatever they come in."""

from __future__ import annotations

import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import ferrostep as fs
from support.checkpoints import KEY, pack, unpack
from support.remembered import REMEMBERING, grads, made, memory, params, same, stepped

INF, NAN = math.inf, math.nan

#: By class and number: what is said of it, what no run can give, and what one can.
BOUNDS: dict[tuple[Any, str], tuple[str, list[float], list[float]]] = {
    (fs.NAdam, "mu_product"): ("a number from 0 to 1", [-0.5, 1.5, INF, NAN], [0.0, 5e-324, 1.0]),
    (fs.ASGD, "eta"): ("a finite number >= 0", [-1e-9, INF, NAN], [0.0, 1e300]),
    (fs.ASGD, "mu"): ("a number from 0 to 1", [-1.0, 2.0, NAN], [1e-300, 1.0]),
    (fs.Prodigy, "d"): ("a finite number > 0", [-1.0, 0.0, INF, NAN], [5e-324, 1e300]),
    (fs.Prodigy, "d_max"): ("a finite number > 0", [-1.0, 0.0, INF, NAN], [5e-324, 1e300]),
    (fs.Prodigy, "numerator"): ("a finite number", [INF, -INF, NAN], [-1e300, 0.0, 1e300]),
    (fs.NovoGrad, "exp_avg_sq"): ("a number >= 0", [-1e-9, -INF], [0.0, INF]),
}
for cls in (fs.ScheduleFreeSGD, fs.ScheduleFreeAdamW):
    BOUNDS[cls, "weight_sum"] = ("a number >= 0", [-1.0, -INF], [0.0, INF])
    BOUNDS[cls, "lr_max"] = ("a finite number >= 0", [-0.1, INF, NAN], [0.0, 1e300])
    BOUNDS[cls, "averaged"] = ("0 or 1", [0.5, -1.0, 2.0, INF, NAN], [0.0, 1.0])

every_number = pytest.mark.parametrize(("cls", "name"), BOUNDS)


def test_all_numbers_are_here() -> None:
    assert {*BOUNDS} == {(cls, name) for cls in REMEMBERING for name in cls._schema().memory}


def text(cls: Any, name: str, value: float, label: str = "'w'") -> str:
    wanted = BOUNDS[cls, name][0]
    return re.escape(f"'{name}' of parameter {label} must be {wanted}, found {value!r}; ")


@every_number
def test_a_state_dict(cls: Any, name: str) -> None:
    for value in BOUNDS[cls, name][1]:
        saved, opt, twin = stepped(cls, 3).state_dict(), stepped(cls, 1), stepped(cls, 1)
        saved["state"][0][name] = value
        for strict in (True, False):
            with pytest.raises(ValueError, match=text(cls, name, value)):
                opt.load_state_dict(saved, strict=strict)
        same(opt, twin)
        unbound = cls(lr=0.1)
        with pytest.raises(ValueError, match=text(cls, name, value, "0")):
            unbound.load_state_dict(saved)
        assert not unbound.state


@every_number
def test_a_file(cls: Any, name: str, tmp_path: Path) -> None:
    path, value = tmp_path / "run", BOUNDS[cls, name][1][0]
    stepped(cls, 3).save(path)
    header, body = unpack(path.read_bytes())
    found = json.loads(header["__metadata__"][KEY])
    stored = value if math.isfinite(value) else {"$float": repr(value)}
    found["optimizers"][0]["state"][0]["memory"][name] = stored
    header["__metadata__"][KEY] = json.dumps(found)
    path.write_bytes(pack(header, body))
    opt, twin = stepped(cls, 1), stepped(cls, 1)
    for strict in (True, False):
        with pytest.raises(ValueError, match=text(cls, name, value)):
            opt.load(path, strict=strict)
    same(opt, twin)


@every_number
def test_a_pickle(cls: Any, name: str) -> None:
    for value in BOUNDS[cls, name][1]:
        saved = stepped(cls, 2).__getstate__()
        saved["states"][0][name] = value
        opt = cls.__new__(cls)
        with pytest.raises(ValueError, match=text(cls, name, value)):
            opt.__setstate__(saved)


@every_number
def test_what_a_run_can_give_is_saved_and_loaded(cls: Any, name: str, tmp_path: Path) -> None:
    for value in BOUNDS[cls, name][2]:
        saved, opt = stepped(cls, 3).state_dict(), stepped(cls, 1)
        for entry in saved["state"].values():  # it may be of the model
            entry[name] = value
        opt.load_state_dict(saved)
        opt.save(tmp_path / "run")
        other = made(cls)
        other.load(tmp_path / "run")
        for found in (opt, other, pickle.loads(pickle.dumps(opt))):
            assert memory(found, "w")[name] == value


def test_sums_that_overflow_in_training() -> None:
    free = fs.ScheduleFreeSGD(params(), lr=0.1, r=1e4)
    for t in range(2):
        free.step(grads(t))
    assert memory(free, "w")["weight_sum"] == INF
    novo = fs.NovoGrad(params(), lr=0.1)
    novo.step({name: 1e200 * g for name, g in grads(0).items()})
    assert memory(novo, "w")["exp_avg_sq"] == INF
    prodigy = fs.Prodigy(params(), lr=1e300, d_coef=1e300, bias_correction=True)
    for t in range(4):
        prodigy.step({name: 1e150 * g for name, g in grads(t).items()})
    for opt in (free, novo, prodigy):
        other = made(type(opt))
        other.load_state_dict(opt.state_dict())
        assert repr(memory(other, "w")) == repr(memory(opt, "w"))
