"""Hooks of all kinds, closures and the profiler: when they are called, and with what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from beside import NAMES, OURS, THEIRS


def one(cls: Any, **options: Any) -> tuple[torch.Tensor, Any]:
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.ones(3)
    return p, cls([p], lr=0.1, **options)


def told(cls: Any) -> list[Any]:
    """What each hook was called with, in their order; arguments of the optimizer by "self"."""
    _, opt = one(cls)
    calls: list[Any] = []

    def plain(value: Any) -> Any:
        if value is opt:
            return "self"
        if isinstance(value, tuple):
            return tuple(plain(each) for each in value)
        return sorted(value) if isinstance(value, dict) else getattr(value, "__name__", value)

    def hook(name: str) -> Any:
        return lambda *given: calls.append((name, plain(given)))

    handles = [
        register_optimizer_step_pre_hook(hook("all before")),
        register_optimizer_step_post_hook(hook("all after")),
        opt.register_step_pre_hook(hook("before")),
        opt.register_step_post_hook(hook("after")),
        opt.register_state_dict_pre_hook(hook("before state_dict")),
        opt.register_state_dict_post_hook(hook("after state_dict")),
        opt.register_state_dict_pre_hook(hook("first before state_dict"), prepend=True),
        opt.register_load_state_dict_pre_hook(hook("before load")),
        opt.register_load_state_dict_post_hook(hook("after load")),
    ]

    def closure() -> float:
        calls.append("closure")
        return 3.0

    try:
        opt.step()
        calls.append(opt.step(closure))
        opt.load_state_dict(opt.state_dict())
        opt.step()
    finally:
        for handle in handles:
            handle.remove()
    opt.step()
    opt.load_state_dict(opt.state_dict())
    return calls


@pytest.mark.parametrize("name", NAMES)
def test_hooks_are_called_as_torch_calls_them(name: str) -> None:
    ours = told(OURS[name])
    assert ours == told(THEIRS[name])
    assert len(ours) == 19


@pytest.mark.parametrize("name", NAMES)
def test_what_hooks_return(name: str) -> None:
    """A step's arguments, the state dict that is saved, and the one that is loaded."""
    found = []
    for cls in (THEIRS[name], OURS[name]):
        p, opt = one(cls)
        opt.register_step_pre_hook(lambda _, args, kwargs: ((*args, lambda: 7.0), kwargs))
        opt.register_state_dict_post_hook(lambda _, saved: {**saved, "more": 1})

        def slower(_: Any, saved: dict[str, Any]) -> dict[str, Any]:
            return {**saved, "param_groups": [{**g, "lr": 0.5} for g in saved["param_groups"]]}

        opt.register_load_state_dict_pre_hook(slower)
        saved = opt.state_dict()
        opt.load_state_dict(saved)
        found.append((opt.step(), saved["more"], opt.param_groups[0]["lr"], p.detach().tolist()))
    assert found[0][:3] == found[1][:3] == (7.0, 1, 0.5)


def test_what_a_hook_keeps_in_the_state_stays_there() -> None:
    _, opt = one(OURS["Adam"])
    opt.step()
    opt.state["mine"] = 3
    opt.state["more"]["steps"] = 4  # as in torch's, there is a dict for whoever asks
    saved = opt.state_dict()
    assert (saved["state"]["mine"], saved["state"]["more"]) == (3, {"steps": 4})
    _, other = one(OURS["Adam"])
    other.state["old"] = 1
    other.load_state_dict(saved)
    assert set(other.state_dict()["state"]) == {0, "mine", "more"}
    assert "mine" in opt.state
    assert opt.state.get("other", 5) == 5
    del opt.state["mine"]
    assert set(opt.state) == {opt.param_groups[0]["params"][0], "more"}
    with pytest.raises(KeyError):
        del opt.state["mine"]


@pytest.mark.parametrize("name", NAMES)
def test_closures(name: str) -> None:
    """The loss is of before the step, gradients are on, and all is as beside torch's class."""
    found = []
    for cls in (THEIRS[name], OURS[name]):
        p, opt = one(cls)

        def closure(p: torch.Tensor = p, opt: Any = opt) -> torch.Tensor:
            opt.zero_grad()
            assert torch.is_grad_enabled()
            loss = (p * p).sum()
            loss.backward()
            return loss

        with torch.no_grad():
            losses = [opt.step(closure).item() for _ in range(3)]
        losses.append(opt.step(closure=closure).item())
        found.append((losses, p.detach().tolist()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


def test_a_closure_that_fails_changes_nothing() -> None:
    p, opt = one(OURS["Adam"])

    def closure() -> float:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        opt.step(closure)
    assert torch.equal(p.detach(), torch.ones(3))
    assert not opt.state


@pytest.mark.parametrize("name", NAMES)
def test_the_profiler_shows_steps(name: str) -> None:
    _, opt = one(OURS[name])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        opt.step()
        opt.zero_grad()
    names = {event.key for event in profile.key_averages()}
    assert {f"Optimizer.step#{name}.step", f"Optimizer.zero_grad#{name}.zero_grad"} <= names


def test_zero_grad() -> None:
    p, opt = one(OURS["SGD"])
    opt.zero_grad(set_to_none=False)
    assert torch.equal(p.grad, torch.zeros(3))
    opt.step()
    assert torch.equal(p.detach(), torch.ones(3))
    opt.zero_grad()
    assert p.grad is None
    opt.step()
