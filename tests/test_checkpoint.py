"""Checkpoints: the resumed run is the uninterrupted one, to the bit, whatever was saved."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import DTypeLike

import ferrostep as fs
from cases import RUN_IDS, RUNS, Case
from ferrostep import schedulers
from support.arrays import Array, assert_same_bits, assert_same_state, gradients

SHAPES = [(4, 3), (5,), (), (0, 2)]


def params(dtype: DTypeLike) -> dict[str, Array]:
    """In every layout: Fortran, other byte order, strided, 0-d, empty."""
    rng = np.random.default_rng(3)
    a, b, c, d = (np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES)
    swapped = b if dtype is ml_dtypes.bfloat16 else b.astype(b.dtype.newbyteorder())
    strided = np.asarray(rng.standard_normal((6, 4))).astype(dtype)[::-2, ::2]
    return {"a/W": np.asfortranarray(a), "b": swapped, "ç": c, "": d, "s": strided}


def grads(p: dict[str, Array], steps: int) -> list[dict[str, Array | None]]:
    rng = np.random.default_rng(4)
    made: list[dict[str, Array | None]] = [
        {name: gradients(rng, a.shape, a.dtype.newbyteorder("=")) for name, a in p.items()}
        for _ in range(steps)
    ]
    for g in made[:-1]:
        g["s"] = None  # its first step comes after the checkpoint
    return made


def garbage(p: dict[str, Array]) -> dict[str, Array]:
    other = copy.deepcopy(p)
    for a in other.values():
        a[...] = 7
    return other


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_the_resumed_run_is_the_uninterrupted_run(
    case: Case, dtype: DTypeLike, tmp_path: Path
) -> None:
    p = params(dtype)
    steps = grads(p, 6)
    opt = case.make(p)
    for g in steps[:3]:
        opt.step(g)
    opt.save(tmp_path / "run.safetensors")
    resumed_p = garbage(p)
    resumed = case.make(resumed_p)
    resumed.step({name: np.zeros_like(a) for name, a in p.items()})  # must be forgotten
    resumed.load(tmp_path / "run.safetensors")
    assert_same_state(resumed, opt)
    for g in steps[3:]:
        opt.step(g)
        resumed.step(g)
    for name in p:
        assert_same_bits(resumed_p[name], p[name], name)
    assert_same_state(resumed, opt)


def test_groups_come_back_exactly(tmp_path: Path) -> None:
    a, b = np.ones(3), np.ones(2)
    opt = fs.AdaptiveGains([{"params": [a]}, {"params": [b], "lr": 1 / 3, "max_gain": math.inf}])
    opt.param_groups[0].update(lr=np.float32(0.1), initial_lr=5e-324)
    opt.step([a * 1, b * 1])
    opt.save(tmp_path / "f")
    other = fs.AdaptiveGains([{"params": [a.copy()]}, {"params": [b.copy()]}])
    other.load(tmp_path / "f")
    for mine, wanted in zip(other.param_groups, opt.param_groups, strict=True):
        assert {**mine, "params": 0} == {**wanted, "params": 0}
    assert type(other.param_groups[0]["lr"]) is float
    adam = fs.Adam([a], betas=(0.5, 0.25), state_dtype=None)
    adam.save(tmp_path / "f")
    adam.param_groups[0]["betas"] = (0.1, 0.1)
    adam.load(tmp_path / "f")
    assert adam.param_groups[0]["betas"] == (0.5, 0.25)


def test_skipped_steps(tmp_path: Path) -> None:
    a = np.ones(3)
    opt = fs.Adam([a], nonfinite="skip")
    opt.step([np.full(3, np.nan)])
    opt.save(tmp_path / "f")
    other = fs.Adam([a.copy()], nonfinite="raise")
    other.load(tmp_path / "f")
    assert other.skipped_steps == 1
    assert other.nonfinite == "raise"  # belongs to the constructor


def test_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    gen, dis = {"W": np.ones((2, 2), np.float32)}, [np.ones(3, ml_dtypes.bfloat16)]
    counts = np.arange(5)
    opts = {"generator": fs.Adam(gen), "dis": fs.SGD(dis, momentum=0.9)}
    decay = [schedulers.StepLR(opts["generator"], 2), schedulers.ExponentialLR(opts["dis"], 0.5)]
    opts["generator"].step({"W": np.ones((2, 2))})
    opts["dis"].step([np.ones(3, np.float32)])
    for scheduler in decay:
        scheduler.step()
    rng = np.random.Generator(np.random.MT19937(7))
    rng.random(5)
    extra = {
        "epoch": 3,
        "best": -math.inf,
        "none": None,
        "history": [(1, 2.5), (2, np.float32(0.1))],
        "by epoch": {1: "a", (2, True): "b"},
        "$money": 5,
        "rng": rng.bit_generator.state,
        "mask": np.array([True, False]),
        "big": 2**127,
    }
    p = {"W": gen["W"], "d": dis[0], "counts": counts}
    fs.save_checkpoint(path, optimizer=opts, params=p, schedulers=decay, extra=extra)
    gen2, dis2 = {"W": np.zeros((2, 2), np.float32)}, [np.zeros(3, ml_dtypes.bfloat16)]
    p2 = {"counts": np.zeros(5, int), "W": gen2["W"], "d": dis2[0]}  # in another order
    opts2 = {"dis": fs.SGD(dis2), "generator": fs.Adam(gen2)}
    decay2 = [schedulers.StepLR(opts2["generator"], 9), schedulers.ExponentialLR(opts2["dis"], 0.1)]
    found = fs.load_checkpoint(path, optimizer=opts2, params=p2, schedulers=decay2)
    for name, array in p.items():
        assert_same_bits(p2[name].astype(float), array.astype(float))
    for name, opt in opts.items():
        assert_same_state(opts2[name], opt)
    for mine, wanted in zip(decay2, decay, strict=True):
        assert mine.state_dict() == wanted.state_dict()
    assert found.keys() == extra.keys()
    other = np.random.Generator(np.random.MT19937(0))
    other.bit_generator.state = found.pop("rng")
    assert other.random() == rng.random()
    assert found.pop("mask").tolist() == [True, False]
    del extra["rng"], extra["mask"]
    assert found == extra
    assert type(found["history"][0]) is tuple


def test_unbound(tmp_path: Path) -> None:
    p, q = [np.ones(3, np.float32)], [np.zeros(3, np.float32)]
    opt, other = fs.Adam(lr=0.1), fs.Adam()
    opt.update(p, [np.ones(3)])
    fs.save_checkpoint(tmp_path / "f", optimizer=opt, params=p)
    fs.load_checkpoint(tmp_path / "f", optimizer=other, params=q)
    other.save(tmp_path / "pending")  # before its first update
    third = fs.Adam()
    third.load(tmp_path / "pending")
    for o, a in ((opt, p), (other, q)):
        o.update(a, [np.full(3, 2.0)])
    assert_same_bits(q[0], p[0])
    assert_same_state(other, opt)
    with pytest.raises(ValueError, match="also has params"):
        other.load(tmp_path / "f")


def test_parts_that_are_not_asked_for(tmp_path: Path) -> None:
    p = [np.ones(2)]
    opt = fs.SGD(p)
    fs.save_checkpoint(tmp_path / "f", optimizer=opt, params=p, extra={"epoch": 1})
    with pytest.raises(ValueError, match=r"also has optimizers.*partial=True"):
        fs.load_checkpoint(tmp_path / "f", params=p)
    assert fs.load_checkpoint(tmp_path / "f", params=p, partial=True) == {"epoch": 1}
    with pytest.raises(ValueError, match="the checkpoint lacks schedulers"):
        fs.load_checkpoint(tmp_path / "f", schedulers=schedulers.StepLR(opt, 1), partial=True)


def test_it_is_read_by_the_safetensors_library_alone(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    p = params(np.float32)
    opt = fs.AdamW(p, lr=0.25)
    opt.step(grads(p, 1)[0])
    opt.save(tmp_path / "f")
    tensors = load_file(tmp_path / "f")
    assert tensors.keys() == {f"param/{name}" for name in p} | {
        f"state/{name}/{array}" for name in p for array in ("exp_avg", "exp_avg_sq")
    }
    for name, a in p.items():
        assert_same_bits(tensors[f"param/{name}"], a)
        assert_same_bits(tensors[f"state/{name}/exp_avg"], opt.state[name]["exp_avg"])
    with safe_open(tmp_path / "f", "np") as file:
        metadata = file.metadata()
    content = json.loads(metadata["ferrostep.checkpoint"])
    assert content["optimizers"][0]["class"] == "AdamW"
    assert content["optimizers"][0]["groups"][0]["lr"] == 0.25
    assert [entry["step"] for entry in content["optimizers"][0]["state"]] == [1] * 5


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"extra": {"f": print}},
            TypeError,
            r"extra\['f'\] must be an array, number, .*, found builtin_function_or_method",
        ),
        ({"extra": {"a": {1, 2}}}, TypeError, "must be .*, found set"),
        ({"extra": {"a": np.array([1j])}}, TypeError, "complex128"),
        ({"extra": {"a": np.longdouble(1)}}, TypeError, "must be .*, found longdouble"),
        ({"extra": [1]}, TypeError, "extra must be a dict"),
        ({"params": [np.array(["a"])]}, TypeError, "parameter 0 has dtype <U1, wanted one of bool"),
        ({"params": [np.ma.ones(2)]}, TypeError, "MaskedArray"),
        ({"params": [[{1, 2}]]}, TypeError, "parameter '0.0' must be .*, found set"),
        ({"params": {"\ud800": np.ones(1)}}, ValueError, "Unicode"),
        ({"optimizer": 3}, TypeError, "optimizer must be an optimizer"),
        ({"optimizer": {"a/b": fs.SGD([np.ones(1)])}}, ValueError, "without '/'"),
        ({"schedulers": 3}, TypeError, "schedulers must have state_dict"),
        ({"schedulers": {1: 2}}, ValueError, "name must be a str"),
    ],
    ids=str,
)
def test_what_cannot_be_saved(
    given: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(error, match=message):
        fs.save_checkpoint(tmp_path / "f", **given)
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(1)])
    opt.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="Invalid learning rate"):
        opt.save(tmp_path / "f")
    opt.param_groups[0].update(lr=1.0, note="mine")
    with pytest.raises(ValueError, match="note"):
        opt.save(tmp_path / "f")
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested too deeply"):
        fs.save_checkpoint(tmp_path / "f", extra={"loop": loop})
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_an_import_error_that_names_the_extra(tmp_path: Path) -> None:
    code = f"""
import sys; sys.modules["safetensors"] = None
import numpy as np, ferrostep as fs
fs.SGD([np.ones(1)]).save({str(tmp_path / "f")!r})
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "ImportError: saving checkpoints needs safetensors" in done.stderr
    assert "ferrostep[checkpoint]" in done.stderr


@pytest.mark.parametrize("wanted", ["float16", "bfloat16", "float32"])
def test_a_state_dtype_that_does_not_fit_is_refused_on_loading(wanted: str, tmp_path: Path) -> None:
    source = fs.Adam([np.ones(2, np.float32)], state_dtype=wanted)
    source.save(tmp_path / "f")
    p = np.ones(2)
    opt = fs.Adam([p], lr=0.5)
    for load in (
        lambda: opt.load_state_dict(source.state_dict()),
        lambda: fs.load_checkpoint(tmp_path / "f", optimizer=opt, partial=True),
    ):
        with pytest.raises(
            ValueError, match=f"beside parameter 0 .* must be float64, found {wanted}"
        ):
            load()
        assert opt.param_groups[0]["lr"] == 0.5
        assert opt.param_groups[0]["state_dtype"] is None
