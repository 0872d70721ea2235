"""Runs that move between torch and ferrostep: golden files, and live where torch is installed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open

import ferrostep as fs
from cases import CLASSES
from ferrostep.compat import torch as compat
from ferrostep.presets.torch import ALIKE
from support.arrays import Array, assert_same_bits

FILE = Path(__file__).parent / "golden/torch.safetensors"
with safe_open(FILE, "np") as _file:
    GOLDEN: dict[str, Array] = {name: _file.get_tensor(name) for name in _file.keys()}  # noqa: SIM118
    ABOUT: dict[str, Any] = json.loads(_file.metadata()["cases"])
NUMBERED = list(enumerate(ABOUT["cases"]))
IDS = [f"{case['optimizer']}-{i}" for i, case in NUMBERED]
BEFORE, STEPS = ABOUT["before"], ABOUT["before"] + ABOUT["after"]

#: The largest distance that was found after the last step, in ULP of the parameter's largest value;
#: a sign times a step size is exact.
BOUND, EXACT = 1, {"Rprop"}


def part(where: str) -> list[Array]:
    return [GOLDEN[f"{where}/{k}"].copy() for k in range(2)]


def optimizer(case: dict[str, Any], params: list[Array], **more: Any) -> fs.Optimizer:
    made: fs.Optimizer = getattr(fs, case["optimizer"])(params, **{**case["options"], **more})
    return made


def go_on(opt: fs.Optimizer, i: int) -> None:
    for t in range(BEFORE, STEPS):
        opt.step(part(f"{i}/grad/{t}"))


def close(case: dict[str, Any], found: list[Array], wanted: list[Array]) -> None:
    for p, q in zip(found, wanted, strict=True):
        distance = np.abs(p.astype(float) - q) / np.spacing(np.abs(q).max())
        assert distance.max() <= (0 if case["optimizer"] in EXACT else BOUND), distance.max()


@pytest.mark.parametrize(("i", "case"), NUMBERED, ids=IDS)
def test_from_torch(i: int, case: dict[str, Any]) -> None:
    prefix = f"{i}/forth/state/"
    state: dict[int, dict[str, Any]] = {}
    for name, array in GOLDEN.items():
        if name.startswith(prefix):
            k, key = name.removeprefix(prefix).split("/")
            state.setdefault(int(k), {})[key] = array
    p = part(f"{i}/forth/moved")
    opt = getattr(fs, case["optimizer"])(p)  # all options come from torch's
    opt.load_state_dict({"state": state, "param_groups": [case["group"]]})
    for name, value in case["options"].items():
        loaded = opt.param_groups[0][name]
        assert (list(loaded) if isinstance(loaded, tuple) else loaded) == value
    go_on(opt, i)
    close(case, p, part(f"{i}/forth/end"))


@pytest.mark.parametrize(("i", "case"), NUMBERED, ids=IDS)
def test_to_torch(i: int, case: dict[str, Any]) -> None:
    """What torch computed from our state is what we compute."""
    p = part(f"{i}/start")
    opt = optimizer(case, p)
    for t in range(BEFORE):
        opt.step(part(f"{i}/grad/{t}"))
    go_on(opt, i)
    close(case, p, part(f"{i}/back/end"))


@pytest.mark.parametrize(("i", "case"), NUMBERED, ids=IDS)
def test_there_and_back_live(i: int, case: dict[str, Any]) -> None:
    """ferrostep, then torch, a file by ``torch.save``, then ferrostep: as if torch had not been."""
    torch = pytest.importorskip("torch")
    p = part(f"{i}/start")
    opt = optimizer(case, p)
    for t in range(BEFORE):
        opt.step(part(f"{i}/grad/{t}"))
    q = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in p]
    theirs = getattr(torch.optim, case["optimizer"])(q)
    theirs.load_state_dict(compat.to_torch(opt.state_dict()))
    before = {k: {n: np.copy(v) for n, v in e.items()} for k, e in opt.state.items()}
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    back = optimizer(case, [a.copy() for a in p], maximize=not opt.param_groups[0]["maximize"])
    compat.load_state_dict(back, torch.load(file, weights_only=True))
    for k, entry in before.items():
        for name, value in entry.items():
            if name != "step":
                assert_same_bits(back.state[k][name], value)
    assert back.param_groups[0]["maximize"] == opt.param_groups[0]["maximize"]
    for t in range(BEFORE, STEPS):
        g = part(f"{i}/grad/{t}")
        for tensor, array in zip(q, g, strict=True):
            tensor.grad = torch.from_numpy(array.copy())
        theirs.step()
        opt.step(g)
    close(case, p, [a.detach().numpy() for a in q])
    third = [a.detach().numpy().copy() for a in q]
    resumed = optimizer(case, third)
    resumed.load_state_dict(theirs.state_dict())  # torch's tensors, as they are
    if case["optimizer"] != "SGD":
        assert resumed.state[0]["step"] == STEPS
    for k in before:  # torch's tensors were copies
        for name in set(before[k]) - {"step"}:
            assert name in resumed.state[k]


def test_bfloat16_and_tensor_options_live() -> None:
    torch = pytest.importorskip("torch")
    q = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    theirs = torch.optim.Adam([q], lr=torch.tensor(0.125))
    q.grad = torch.full((4,), 0.5, dtype=torch.bfloat16)
    theirs.step()
    p = np.ones(4, ml_dtypes.bfloat16)
    opt = fs.Adam([p], lr=0.5)
    compat.load_state_dict(opt, theirs.state_dict())
    assert opt.param_groups[0]["lr"] == 0.125
    assert opt.state[0]["exp_avg"].dtype == ml_dtypes.bfloat16
    tensors = compat.to_torch(opt.state_dict())["state"][0]
    assert tensors["exp_avg"].dtype == torch.bfloat16
    assert torch.equal(tensors["exp_avg"], theirs.state[q]["exp_avg"])
    assert tensors["step"].dtype == torch.float32
    assert tensors["step"] == 1


def stepped(opt: fs.Optimizer, steps: int = 1) -> dict[str, Any]:
    for _ in range(steps):
        opt.step([np.ones(2, np.float32)])
    return opt.state_dict()


def ones() -> list[Array]:
    return [np.ones(2, np.float32)]


@pytest.mark.parametrize(
    ("opt", "message"),
    [
        (fs.Adam(ones(), bias_correction=False), "no option 'bias_correction'"),
        (fs.Adam(ones(), epsilon_hat=True), "no option 'epsilon_hat'"),
        (fs.Adam(ones(), state_dtype="bfloat16"), "no option 'state_dtype'"),
        (fs.RMSprop(ones(), eps_inside_sqrt=True), "no option 'eps_inside_sqrt'"),
        (fs.RMSprop(ones(), initial_accumulator_value=1.0), "'initial_accumulator_value'"),
        (fs.SGD(ones(), decoupled_weight_decay=True), "no option 'decoupled_weight_decay'"),
        (fs.SGD(ones(), flush_subnormals=True), "no option 'flush_subnormals'"),
        (fs.SGD(ones(), momentum=0.9, average=True), "no option 'average'"),
        (fs.Adam(ones(), initial_accumulator_value=1.0), "'initial_accumulator_value'"),
    ],
)
def test_what_torch_lacks(opt: fs.Optimizer, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compat.to_torch(opt.state_dict())


def test_an_average_goes_on_from_torchs_buffer() -> None:
    """What torch lacks stays as it is here; its dampening has no place beside it."""
    group = {"params": [0], "lr": 0.5, "momentum": 0.5, "dampening": 0.0, "nesterov": False}
    theirs = {"state": {0: {"momentum_buffer": np.full(3, 2.0)}}, "param_groups": [group]}
    p = np.zeros(3)
    opt = fs.SGD([p], momentum=0.9, average=True)
    compat.load_state_dict(opt, theirs)
    opt.step([np.full(3, 4.0)])
    assert_same_bits(opt.state[0]["momentum_buffer"], np.full(3, 0.5 * 2.0 + 0.5 * 4.0))
    group["dampening"] = 0.5
    with pytest.raises(ValueError, match=r"dampening must be 0 with average=True, found 0\.5"):
        compat.load_state_dict(opt, theirs)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_torchs_classes_and_no_others(cls: Any) -> None:
    saved = cls().state_dict()  # without parameters, so that no tensor is made
    if cls.__name__ in ALIKE and cls.__name__ != "SparseAdam":
        assert compat.to_torch(saved)["param_groups"][0]["lr"] == saved["param_groups"][0]["lr"]
        return
    with pytest.raises(ValueError, match="must be of a class that torch has"):
        compat.to_torch(saved)


def test_adagrad_without_state() -> None:
    with pytest.raises(ValueError, match=r"parameters \[0\] have no state"):
        compat.to_torch(fs.Adagrad(ones()).state_dict())


def test_step_counts_beyond_float32() -> None:
    pytest.importorskip("torch")
    saved = stepped(fs.Adam(ones()))
    saved["state"] = {0: {**saved["state"][0], "step": 2**24}}
    compat.to_torch(saved)
    saved["state"][0]["step"] += 1
    with pytest.raises(ValueError, match="16777217"):
        compat.to_torch(saved)


def test_not_a_state_dict() -> None:
    with pytest.raises(ValueError, match="'state' and 'param_groups'"):
        compat.to_torch({})
    with pytest.raises(ValueError, match="'state' and 'param_groups'"):
        compat.load_state_dict(fs.Adam(ones()), {})


def test_what_torch_has_no_place_for() -> None:
    opt = fs.Lookahead(fs.Adam(ones()))
    with pytest.raises(
        ValueError, match=r"wrappers \['Lookahead'\], wanted none, as torch has none"
    ):
        compat.to_torch(opt.state_dict())
    compat.to_torch(opt.optimizer.state_dict())
