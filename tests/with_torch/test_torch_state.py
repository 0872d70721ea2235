"""`optimizer.state`: torch's layout, our memory, and what users do to it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from beside import NAMES, OURS, THEIRS, give, parameters, remembered, values

SHAPES: list[tuple[int, ...]] = [(3, 2), (5,), ()]
#: Options with which each class has all the state that it can have.
FULL: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {"amsgrad": True},
    "AdamW": {"amsgrad": True},
    "Adagrad": {"initial_accumulator_value": 0.1},
    "Adadelta": {},
    "Rprop": {},
    "Adamax": {},
    "NAdam": {},
    "ASGD": {"t0": 1.0},
    "RAdam": {},
}


def begun(cls: Any, name: str, steps: int = 3, dtype: Any = torch.float32) -> tuple[Any, Any]:
    params = parameters(values(0, SHAPES), dtype)
    opt = cls(params, lr=0.01, **FULL[name])
    go_on(opt, params, range(steps))
    return params, opt


def go_on(opt: Any, params: Any, steps: Any) -> None:
    for t in steps:
        give(params, values(100 + t, SHAPES))
        opt.step()


def close(found: Any, wanted: Any, **more: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6, **more)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_state_dict_is_torch_s(name: str, steps: int) -> None:
    """Key by key, in the same order, with the same types and shapes."""
    _, ours = begun(OURS[name], name, steps)
    _, theirs = begun(THEIRS[name], name, steps)
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    for group, wanted in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert wanted.keys() <= group.keys()
        assert {k: group[k] for k in wanted} == wanted
    assert list(ours["state"]) == list(theirs["state"])
    for key, wanted in theirs["state"].items():
        assert type(ours["state"][key]) is dict
        assert set(ours["state"][key]) == set(wanted)
        for what, x in wanted.items():
            found = ours["state"][key][what]
            wide = what in remembered(name)  # ours are as the rule has them
            dtype = torch.float64 if wide else x.dtype
            assert (found.dtype, found.shape, found.device) == (dtype, x.shape, x.device), what
            close(found.to(x.dtype), x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_memory_is_shared(name: str, dtype: Any) -> None:
    params, opt = begun(OURS[name], name, dtype=dtype)
    for p in params:
        for what in opt.state[p].keys() - {"step", *remembered(name)}:
            one, other = opt.state[p][what], opt.state[p][what]
            one.add_(1.0)
            assert torch.equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_into_state_is_read_by_the_next_step(name: str) -> None:
    params, opt = begun(OURS[name], name)
    twin, other = begun(OURS[name], name)
    for x in opt.state[params[0]].values():
        x.mul_(1.5)
    go_on(opt, params, [3])
    go_on(other, twin, [3])
    ends = [(p, *o.state[p].values()) for p, o in ((params[0], opt), (twin[0], other))]
    assert not all(torch.equal(x, y) for x, y in zip(*ends, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(params[1:], twin[1:], strict=True))


def test_a_step_that_is_set_is_taken_over() -> None:
    ends = []
    for cls in (THEIRS["Adam"], OURS["Adam"]):
        params, opt = begun(cls, "Adam")
        for p in params:
            opt.state[p]["step"] = torch.tensor(10.0)
        go_on(opt, params, [3])
        assert all(opt.state[p]["step"] == 11 for p in params)
        ends.append(params)
    close(ends[1], ends[0])


@pytest.mark.parametrize("name", NAMES)
def test_state_that_is_taken_out_begins_anew(name: str) -> None:
    params, opt = begun(OURS[name], name)
    lone = params[1].detach().clone().requires_grad_()
    del opt.state[params[1]]
    assert params[1] not in opt.state
    assert len(opt.state) == 2
    go_on(opt, params, [3])
    other = OURS[name]([lone], lr=0.01, **FULL[name])
    lone.grad = params[1].grad.clone()
    other.step()
    assert torch.equal(lone, params[1])
    opt.state.clear()
    assert len(opt.state) == 0
    go_on(opt, params, [4])
    counted = [opt.state[p]["step"].item() for p in params if "step" in opt.state[p]]
    assert counted in ([], [1.0] * 3)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "SGD", "Adadelta"])
def test_gaussian_splatting(name: str) -> None:
    """Rows are added, and taken out, under another Parameter, as its densification does."""
    ends = []
    for cls in (THEIRS[name], OURS[name]):
        p = torch.nn.Parameter(values(0, [(4, 3)])[0])
        opt = cls([{"params": [p], "lr": 0.01, "name": "xyz"}], **FULL[name])
        for t, (rows, keep) in enumerate([(2, None), (3, None), (None, [0, 2, 5]), (1, None)]):
            for k in range(2):
                p.grad = values(10 * t + k, [tuple(p.shape)])[0]
                opt.step()
            group = opt.param_groups[0]
            stored = opt.state.get(group["params"][0], None)
            assert stored is not None
            more = values(50 + t, [(rows or 0, 3)])[0]

            def grown(x: torch.Tensor, more: torch.Tensor, keep: Any = keep) -> torch.Tensor:
                return x[keep] if keep else torch.cat((x, more), dim=0)

            for what, x in stored.items():
                if what != "step":
                    stored[what] = grown(x, torch.zeros_like(more))
            del opt.state[group["params"][0]]
            group["params"][0] = torch.nn.Parameter(grown(p.detach(), more).requires_grad_(True))
            p = group["params"][0]
            opt.state[p] = stored
            assert len(opt.state) == 1
        p.grad = torch.ones_like(p)
        opt.step()
        ends.append((p.detach(), dict(opt.state[p])))
    close(ends[1], ends[0])


@pytest.mark.parametrize("name", NAMES)
def test_state_is_moved_as_lightning_and_accelerate_do(name: str) -> None:
    """Each entry is replaced by one with other tensors, or the whole by a state dict's."""

    def moved(data: Any) -> Any:
        if isinstance(data, dict):
            return type(data)({key: moved(x) for key, x in data.items()})
        return data.clone() if isinstance(data, torch.Tensor) else data

    params, opt = begun(OURS[name], name)
    twin, other = begun(OURS[name], name)
    for p, state in opt.state.items():
        opt.state[p] = moved(state)
    go_on(opt, params, [3])
    go_on(other, twin, [3])
    opt.load_state_dict(moved(opt.state_dict()))
    for state in opt.state.values():
        for key, x in state.items():
            if isinstance(x, torch.Tensor):
                state[key] = x.to("cpu").clone()
    go_on(opt, params, [4])
    go_on(other, twin, [4])
    for p, q in zip(params, twin, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("name", NAMES)
def test_memory_of_parameters_is_replaced(name: str) -> None:
    ends = []
    for cls in (THEIRS[name], OURS[name]):
        params, opt = begun(cls, name)
        vector_to_parameters(parameters_to_vector(params).detach() * 0.5, params)
        go_on(opt, params, [3])
        for p in params:
            p.data = p.data.clone()
        go_on(opt, params, [4])
        ends.append((params, [dict(opt.state[p]) for p in params]))
    close(ends[1], ends[0], check_dtype=False)  # of numbers that are remembered


def test_what_is_no_state_is_told_before_anything_is_written() -> None:
    params, opt = begun(OURS["Adam"], "Adam")
    before = copy.deepcopy((params, opt.state_dict()))
    opt.state[params[0]]["exp_avg"] = torch.zeros(7)
    with pytest.raises(ValueError, match="exp_avg"):
        go_on(opt, params, [3])
    assert all(torch.equal(p, q) for p, q in zip(params, before[0], strict=True))


def test_a_state_that_is_set_to_itself_or_to_another_s() -> None:
    params, opt = begun(OURS["Adam"], "Adam")
    twin, other = begun(OURS["Adam"], "Adam")
    opt.state = opt.state
    go_on(opt, params, [3])
    go_on(other, twin, [3])
    assert all(torch.equal(p, q) for p, q in zip(params, twin, strict=True))
    opt.state = {params[0]: other.state[twin[0]]}
    assert list(opt.state) == [params[0]]


BAD = [("x", "'x'"), (None, "None"), (torch.ones(2), "array"), (torch.tensor(float("nan")), "nan")]


@pytest.mark.parametrize("name", [name for name in NAMES if remembered(name)])
def test_numbers_that_are_remembered(name: str) -> None:
    """They may be numbers or tensors of any type; what is none is refused with nothing changed."""
    what = sorted(remembered(name))[0]
    for value in (0.1, torch.tensor(0.1, dtype=torch.float64), torch.tensor([0.1]).double()):
        params, opt = begun(OURS[name], name)
        opt.state[params[0]][what] = value
        saved = copy.deepcopy(opt.state_dict())
        _, other = begun(OURS[name], name)
        other.load_state_dict(saved)
        saved["state"][0][what] = value
        _, third = begun(OURS[name], name)
        third.load_state_dict(saved)
        for each in (opt, other, third):
            p = each.param_groups[0]["params"][0]
            go_on(each, each.param_groups[0]["params"], [3])
            assert torch.equal(p, params[0])
    params, opt = begun(OURS[name], name)
    before = copy.deepcopy((params, opt.state_dict()))
    for value, shown in BAD:
        bad = copy.deepcopy(before[1])
        bad["state"][1][what] = value
        with pytest.raises(
            ValueError, match=f"'{what}' of parameter 1 must be a .*, found.*{shown}"
        ):
            opt.load_state_dict(bad)
    del bad["state"][1][what]
    with pytest.raises(
        ValueError, match=f"parameter 1 lacks '{what}', without which {name} cannot"
    ):
        opt.load_state_dict(bad)
    torch.testing.assert_close(
        (params, opt.state_dict()["state"]), (before[0], before[1]["state"]), rtol=0, atol=0
    )
