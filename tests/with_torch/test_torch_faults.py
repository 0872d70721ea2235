"""A step happens wholly or not at all; groups, keys and scales of torch's users."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from beside import NAMES, OURS, THEIRS, give, values

SHAPES: list[tuple[int, ...]] = [(3, 2), (5,)]


def begun(cls: Any, **options: Any) -> tuple[list[torch.Tensor], Any]:
    params = [x.requires_grad_() for x in values(0, SHAPES)]
    opt = cls([{"params": [params[0]]}, {"params": [params[1]]}], lr=0.1, **options)
    give(params, values(1, SHAPES))
    opt.step()
    return params, opt


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["lr", "shape", "dtype", "parameter", "state", "capturable"])
def test_a_step_that_fails_writes_nothing(name: str, fault: str) -> None:
    """The fault is in the last group, the first could have been stepped."""
    params, opt = begun(OURS[name])
    before = copy.deepcopy((params, opt.state_dict()["state"]))
    version = params[0]._version
    error: Any = ValueError
    if fault == "lr":
        opt.param_groups[1]["lr"] = -1
    elif fault == "shape":
        params[1].data = torch.ones(4)
    elif fault == "dtype":
        params[1].grad = None
        params[1].data = torch.ones(5, dtype=torch.complex64)
        params[1].grad = torch.ones(5, dtype=torch.complex64)
        error = TypeError
    elif fault == "parameter":
        opt.param_groups[1]["params"].append(params[0])
    elif fault == "state":
        buffers = [key for key in opt.state[params[1]] if key != "step"] or ["momentum_buffer"]
        opt.state[params[1]][buffers[0]] = torch.ones(7)
    else:
        opt.param_groups[1]["capturable"] = True
    if fault == "capturable":  # said after the construction it is seen with the next change
        opt.state[params[0]] = dict(opt.state[params[0]])
    with pytest.raises(error):
        opt.step()
    assert torch.equal(params[0], before[0][0])
    assert params[0]._version == version
    if fault == "lr":
        opt.param_groups[1]["lr"] = 0.1
        opt.step()
        twin, other = begun(OURS[name])
        other.step()
        assert all(torch.equal(p, q) for p, q in zip(params, twin, strict=True))


def test_options_that_hang_together_change_at_once() -> None:
    """nesterov needs momentum: the group changes from the one to the other and back."""
    ends = []
    for cls in (THEIRS["SGD"], OURS["SGD"]):
        params, opt = begun(cls, momentum=0.9, nesterov=True)
        for momentum, nesterov in ((0.0, False), (0.5, True), (0.5, False), (0.9, True)):
            for group in opt.param_groups:
                group.update(momentum=momentum, nesterov=nesterov)
            opt.step()
        ends.append(params)
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_groups_are_added_and_taken_out(name: str) -> None:
    ends = []
    for cls in (THEIRS[name], OURS[name]):
        params, opt = begun(cls)
        more = values(5, [(4,)])[0].requires_grad_()
        opt.add_param_group({"params": [more], "lr": 0.05, "mine": "kept"})
        assert opt.param_groups[2]["mine"] == "kept"
        if cls is THEIRS["Adagrad"]:  # it has no state for later parameters
            opt.state[more] = {"step": torch.tensor(0.0), "sum": torch.zeros(4)}
        for t in range(3):
            give([*params, more], values(10 + t, [*SHAPES, (4,)]))
            opt.step()
        del opt.param_groups[0]
        opt.step()
        opt.param_groups[0]["params"] = [more]
        del opt.param_groups[1]
        opt.step()
        ends.append([*params, more])
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-6)


def test_a_group_that_is_refused_is_not_added() -> None:
    params, opt = begun(OURS["Adam"])
    for bad in ({"params": params[0]}, {"params": torch.ones(2).to(torch.int8)}):
        with pytest.raises((ValueError, TypeError)):
            opt.add_param_group(bad)
        assert len(opt.param_groups) == 2
    with pytest.raises(ValueError, match="lr"):
        opt.add_param_group({"params": torch.ones(2), "lr": -1.0})
    assert len(opt.param_groups) == 2
    opt.step()


@pytest.mark.parametrize("name", NAMES)
def test_keys_of_users_and_names_are_kept(name: str) -> None:
    p = torch.ones(3, requires_grad=True)
    opt = OURS[name]([{"params": [("w", p)], "layer": 3}], lr=0.1, foreach=True)
    p.grad = torch.ones(3)
    opt.step()
    group = opt.state_dict()["param_groups"][0]
    assert (group["layer"], group["param_names"], group["foreach"]) == (3, ["w"], True)
    assert isinstance(opt, torch.optim.Optimizer)
    assert isinstance(opt, THEIRS[name])
    assert repr(opt).startswith(f"{name} (")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("overflow", [False, True])
def test_grad_scaler(name: str, overflow: bool) -> None:
    """The scale is divided out in the step; where a gradient is not finite nothing is stepped."""
    ends = []
    for cls in (THEIRS[name], OURS[name]):
        params, opt = begun(cls)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for t in range(4):
            opt.zero_grad()
            loss = sum((p**2).sum() for p in params)
            scaler.scale(loss).backward()
            if overflow and t == 1:
                params[0].grad[0] = float("inf")
            if t == 2:
                scaler.unscale_(opt)
                torch.nn.utils.clip_grad_norm_(params, 1.0)
            scaler.step(opt)
            scaler.update()
        assert "grad_scale" not in vars(opt)
        ends.append((params, scaler.get_scale()))
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-6)


def test_our_own_classes_are_here() -> None:
    """Those that torch lacks, with all that its optimizers have."""
    from ferrostep.compat import torch as compat

    for name in ("Lion", "Momentum", "AdaptiveGains", "NovoGrad"):
        params, opt = begun(getattr(compat, name))
        twin, other = begun(getattr(compat, name))
        other.load_state_dict(copy.deepcopy(opt.state_dict()))
        for o, ps in ((opt, params), (other, twin)):
            give(ps, values(3, SHAPES))
            o.step()
        assert all(torch.equal(p, q) for p, q in zip(params, twin, strict=True))
