"""A small transformer, trained as people train one, beside torch's optimizer."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from beside import NAMES, OURS, THEIRS, numbers_as

RATES = {"SGD": 0.05, "RMSprop": 1e-3, "Adagrad": 0.01, "Adadelta": 0.5, "Rprop": 1e-3}
WORDS, LENGTH, STEPS, PARTS = 13, 8, 24, 2


class Transformer(torch.nn.Module):
    """Guesses the next word of rows that count in steps of one to three."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, 16)
        self.places = torch.nn.Parameter(0.1 * torch.randn(LENGTH, 16))
        self.layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.out = torch.nn.Linear(16, WORDS)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        mask = torch.nn.Transformer.generate_square_subsequent_mask(LENGTH).to(self.places.dtype)
        seen = self.layer(self.words(rows) + self.places, src_mask=mask, is_causal=True)
        scores: torch.Tensor = self.out(seen)
        return scores


def batch(t: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(t)
    start = torch.randint(WORDS, (16, 1), generator=generator)
    pace = torch.randint(1, 4, (16, 1), generator=generator)
    return (start + pace * torch.arange(LENGTH + 1)) % WORDS


def begin(cls: Any, name: str, dtype: torch.dtype) -> tuple[Transformer, Any, Any]:
    torch.manual_seed(0)
    model = Transformer().to(dtype)
    plain = [p for p in model.parameters() if p.ndim < 2]
    rest = [p for p in model.parameters() if p.ndim >= 2]
    decay = {} if name == "Rprop" else {"weight_decay": 0.01}
    more = {"momentum": 0.9} if name == "SGD" else {}
    groups = [{"params": rest, **decay}, {"params": plain}]
    opt = cls(groups, lr=RATES.get(name, 3e-3), **more)
    return model, opt, LambdaLR(opt, lambda t: min(1.0, (t + 1) / 5) * 0.97**t)


def train(model: Any, opt: Any, schedule: Any, steps: range) -> list[float]:
    losses = []
    for t in steps:
        opt.zero_grad()
        for part in batch(t).chunk(PARTS):  # accumulation
            scores = model(part[:, :-1])
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), part[:, 1:].flatten())
            (loss / PARTS).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        schedule.step()
    return losses


def resumed(cls: Any, name: str, dtype: torch.dtype) -> list[float]:
    """Train, save half way, and go on in new objects."""
    half = STEPS // 2
    parts = begin(cls, name, dtype)
    losses = train(*parts, range(half))
    file = io.BytesIO()
    torch.save([part.state_dict() for part in parts], file)
    file.seek(0)
    again = begin(cls, name, dtype)
    for part, saved in zip(again, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(saved)
    return losses + train(*again, range(half, STEPS))


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_torch_s(name: str) -> None:
    """A loss is a mean of 128 terms: what 24 steps round stays below 16 units in its last place."""
    for dtype in (torch.float64, torch.float32):
        with numbers_as(dtype):
            wanted = train(*begin(THEIRS[name], name, dtype), range(STEPS))
            found = train(*begin(OURS[name], name, dtype), range(STEPS))
        torch.testing.assert_close(found, wanted, rtol=16 * torch.finfo(dtype).eps, atol=0)
    assert sum(found[-4:]) < sum(found[:4])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_was_resumed_has_the_same_losses(name: str) -> None:
    whole = train(*begin(OURS[name], name, torch.float32), range(STEPS))
    assert resumed(OURS[name], name, torch.float32) == whole


def test_a_compiled_model_trains_with_it() -> None:
    model, opt, schedule = begin(OURS["AdamW"], "AdamW", torch.float32)
    compiled = torch.compile(model, backend="eager")
    losses = train(compiled, opt, schedule, range(6))
    wanted = train(*begin(OURS["AdamW"], "AdamW", torch.float32), range(6))
    torch.testing.assert_close(losses, wanted, rtol=1e-5, atol=0)


def test_a_step_within_a_compiled_function() -> None:
    ends = []
    for compiled in (False, True):
        model, opt, _ = begin(OURS["Adam"], "Adam", torch.float32)

        def update(model: Any = model, opt: Any = opt) -> None:
            rows = batch(0)
            loss = torch.nn.functional.cross_entropy(
                model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten()
            )
            loss.backward()
            opt.step()
            opt.zero_grad()

        run = torch.compile(update, backend="eager") if compiled else update
        for _ in range(3):
            run()
        ends.append(list(model.parameters()))
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-6)


def test_averages_of_weights_follow_it() -> None:
    """`AveragedModel` and timm's averages read parameters and keep nothing in the optimizer."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    ends = []
    for cls in (THEIRS["Adam"], OURS["Adam"]):
        parts = begin(cls, "Adam", torch.float64)
        averaged = AveragedModel(parts[0], multi_avg_fn=get_ema_multi_avg_fn(0.9))
        for t in range(4):
            train(*parts, range(t, t + 1))
            averaged.update_parameters(parts[0])
        ends.append(list(averaged.module.parameters()))
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-9, atol=1e-12)
