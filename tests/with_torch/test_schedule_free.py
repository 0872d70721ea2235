"""Schedule-free classes of tensors: eval() and train(), and their state in torch's form."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ferrostep as fs
from ferrostep.compat import torch as ours


@pytest.mark.parametrize("name", ["ScheduleFreeSGD", "ScheduleFreeAdamW"])
def test_a_model_is_evaluated_at_the_average_and_goes_on(name: str) -> None:
    torch.manual_seed(1)
    model = torch.nn.Linear(5, 3).double()
    arrays = [p.detach().numpy().copy() for p in model.parameters()]
    opt: Any = getattr(ours, name)(model.parameters(), lr=0.1)
    bare: Any = getattr(fs, name)(arrays, lr=0.1)
    opt.eval()
    opt.train()  # there is no state yet
    for turn in range(3):
        for _ in range(3):
            x = torch.randn(7, 5, dtype=torch.float64)
            opt.zero_grad()
            model(x).square().mean().backward()
            opt.step()
            bare.step([p.grad.numpy() for p in model.parameters()])
        version = next(model.parameters())._version
        opt.eval()
        bare.eval()
        assert next(model.parameters())._version > version
        for p, array in zip(model.parameters(), arrays, strict=True):
            assert (p.detach().numpy() == array).all()
        with pytest.raises(ValueError, match="call train"):
            opt.step()
        if turn == 1:  # saved and loaded where the parameters are the average
            again: Any = getattr(ours, name)(model.parameters(), lr=0.1)
            again.load_state_dict(opt.state_dict())
            opt = again
            with pytest.raises(ValueError, match="call train"):
                opt.step()
        opt.train()
        bare.train()
    assert all(entry["averaged"] == 0.0 for entry in opt.state.values())


def test_others_have_no_eval() -> None:
    assert not hasattr(ours.AdamW, "eval")
