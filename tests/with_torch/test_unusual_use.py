"""What few loops do with torch's optimizers, and ours are to bear too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ferrostep.compat import torch as compat


def parameter(*values: float, dtype: torch.dtype = torch.float64) -> Any:
    return torch.nn.Parameter(torch.tensor(values, dtype=dtype))


def step(opt: Any, *params: Any) -> None:
    for i, p in enumerate(params):
        p.grad = torch.full_like(p, 0.5 + i)
    opt.step()


@pytest.mark.parametrize("shape", [(2,), (1,), ()], ids=str)
def test_a_gradient_with_a_minus_before_it(shape: tuple[int, ...]) -> None:
    gradient = torch.full(shape, 1 - 2j).conj().imag
    assert gradient.is_neg()
    p = torch.nn.Parameter(torch.zeros(shape))
    p.grad = gradient
    compat.SGD([p], lr=1.0).step()
    assert torch.equal(p.detach(), torch.full(shape, -2.0))


def test_a_gradient_whose_memory_was_freed() -> None:
    p = parameter(1.0, 2.0)
    opt = compat.SGD([p])
    p.grad = torch.ones_like(p)
    p.grad.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="the gradient of parameter 0 must have memory"):
        opt.step()
    assert p.tolist() == [1.0, 2.0]


def test_sparse_gradients_with_momentum() -> None:
    tables = [torch.nn.Embedding(4, 3, sparse=True, dtype=torch.float64) for _ in "12"]
    tables[1].load_state_dict(tables[0].state_dict())
    for table, library in zip(tables, (torch.optim, compat), strict=True):
        opt = library.SGD(table.parameters(), lr=0.1, momentum=0.9)
        for i in (0, 1, 1, 3):
            opt.zero_grad()
            table(torch.tensor([i, i])).square().sum().backward()
            opt.step()
    np.testing.assert_allclose(
        tables[1].weight.detach().numpy(), tables[0].weight.detach().numpy(), rtol=1e-12
    )


@pytest.mark.parametrize("library", [torch.optim, compat], ids=["torch", "ours"])
def test_state_waits_for_a_parameter_that_was_taken_out(library: Any) -> None:
    a, b = parameter(1.0, 2.0), parameter(3.0)
    opt = library.Adam([a, b], lr=0.1)
    step(opt, a, b)
    step(opt, a, b)
    opt.param_groups[0]["params"] = [b]
    step(opt, a, b)
    assert opt.state[a]["step"] == 2
    assert len(opt.state) == 2
    opt.param_groups[0]["params"] = [a, b]
    step(opt, a, b)
    assert (opt.state[a]["step"], opt.state[b]["step"]) == (3, 4)
    expected = 0.5 * (1 - 0.9**3)
    assert opt.state[a]["exp_avg"].tolist() == pytest.approx([expected] * 2)


@pytest.mark.parametrize("library", [torch.optim, compat], ids=["torch", "ours"])
def test_others_keep_their_own_beside_the_state(library: Any) -> None:
    p = parameter(1.0, 2.0)
    opt = library.Adam([p])
    step(opt, p)
    slow = p.detach().clone()
    opt.state[p]["slow"] = slow
    opt.state[p]["tag"] = "x"
    step(opt, p)
    assert opt.state[p]["slow"] is slow
    assert opt.state[p]["tag"] == "x"
    assert opt.state[p]["step"] == 2
    again = library.Adam([p])
    again.load_state_dict(opt.state_dict())
    assert torch.equal(again.state[p]["slow"], slow)
    step(again, p)
    assert again.state[p]["step"] == 3


@pytest.mark.parametrize("library", [torch.optim, compat], ids=["torch", "ours"])
def test_state_is_a_mapping(library: Any) -> None:
    p, q = parameter(1.0), parameter(2.0)
    opt = library.Adam([p])
    step(opt, p)
    assert opt.state.pop(q, None) is None
    assert opt.state.pop(p)["step"] == 1
    assert p not in opt.state
    with pytest.raises(KeyError):
        opt.state.pop(p)
    step(opt, p)
    assert opt.state[p]["step"] == 1


@pytest.mark.parametrize("library", [torch.optim, compat], ids=["torch", "ours"])
def test_groups_may_be_empty(library: Any) -> None:
    p, q = parameter(1.0), parameter(2.0)
    opt = library.SGD([{"params": []}, {"params": [p], "lr": 1.0}], lr=0.1, momentum=0.5)
    step(opt, p)
    assert p.tolist() == [0.5]
    opt.param_groups[1]["params"].clear()
    step(opt, p)
    assert p.tolist() == [0.5]
    opt.param_groups[0]["params"].append(q)
    step(opt, q)
    assert q.tolist() == [1.95]
    opt.param_groups.clear()
    step(opt, q)
    assert q.tolist() == [1.95]


def test_a_model_of_another_type() -> None:
    p = parameter(0.1, 0.2, 0.3)
    opt = compat.Adam([p], lr=0.1)
    step(opt, p)
    average = opt.state[p]["exp_avg_sq"].clone()
    p.data = p.data.float()
    p.grad = None
    step(opt, p)
    assert opt.state[p]["step"] == 2
    assert opt.state[p]["exp_avg_sq"].dtype == torch.float32
    torch.testing.assert_close(
        opt.state[p]["exp_avg_sq"], (0.999 * average + 0.001 * 0.25).float(), rtol=1e-6, atol=0
    )


def test_what_is_no_tensor() -> None:
    p = parameter(1.0)
    opt = compat.SGD([p])
    opt.param_groups[0]["params"].append("x")
    p.grad = torch.ones_like(p)
    with pytest.raises(TypeError, match="parameter 1 must be a tensor, found str"):
        opt.step()
    assert p.tolist() == [1.0]


def test_all_names_come_with_a_star() -> None:
    found: dict[str, Any] = {}
    exec("from ferrostep.compat.torch import *", found)
    assert issubclass(found["AdamW"], torch.optim.AdamW)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_torch_that_has_no_exchange_api(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before 2.10, say: each gradient is taken through NumPy, to the same bits."""
    runs = []
    for native in (True, False):
        if not native:
            monkeypatch.setattr("ferrostep.compat.torch.optimizer.step_tensors", lambda *_: None)
        p, q = parameter(*range(7), dtype=dtype), parameter(1.0, dtype=dtype)
        opt = compat.AdamW([p, q], lr=0.1, weight_decay=0.1)
        for _ in range(3):
            step(opt, p, q)
        runs.append((p, q))
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
