"""Tensors on a CUDA device go through CuPy: on a real one if there is one, else on its stand-in."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch

from ferrostep.compat import torch as compat
from support import device
from support.device import HARDWARE

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class OnStandIn(torch.Tensor):
    """A tensor in host memory that says of itself what one on a device says."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda", 0)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        letter = "V" if self.dtype == torch.bfloat16 else "f"  # as torch writes it
        return {
            "version": 2,
            "typestr": f"<{letter}{self.element_size()}",
            "shape": tuple(self.shape),
            "strides": tuple(n * self.element_size() for n in self.stride()),
            "data": (self.data_ptr(), False),
        }

    @property
    def host(self) -> Any:
        """What the stand-in asks for."""
        tensor = self.as_subclass(torch.Tensor)
        if self.dtype == torch.bfloat16:
            return tensor.view(torch.uint16).numpy().view("V2")
        return tensor.numpy()


class OnStandInStream:
    """torch's stream as it tells others of itself."""

    current = 0

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.current


@pytest.fixture(autouse=True)
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    if not HARDWARE:
        monkeypatch.setattr(torch.cuda, "current_stream", lambda _: OnStandInStream())


def on_device(tensor: torch.Tensor) -> Any:
    return tensor.cuda() if HARDWARE else tensor.detach().clone().as_subclass(OnStandIn)


def on_host(tensor: Any) -> torch.Tensor:
    return tensor.detach().cpu() if HARDWARE else tensor.detach().as_subclass(torch.Tensor)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Lion"])
def test_the_bits_of_the_host(name: str, dtype: torch.dtype) -> None:
    cls = getattr(compat, name)
    random = torch.Generator().manual_seed(1)
    start = [torch.randn(n, generator=random).to(dtype) for n in ((5, 7), (3,), (), (0, 4))]
    there = [on_device(p).requires_grad_() for p in start]
    here = [p.clone().requires_grad_() for p in start]
    opts = cls(there, lr=0.1, weight_decay=0.1), cls(here, lr=0.1, weight_decay=0.1)
    for t in range(4):
        for i, (p, q) in enumerate(zip(there, here, strict=True)):
            q.grad = torch.randn(q.shape, generator=random).to(dtype)
            p.grad = on_device(q.grad)
            if (t, i) == (2, 1):
                p.grad = q.grad = None
        for opt in opts:
            opt.step()
        for p, q in zip(there, here, strict=True):
            assert torch.equal(on_host(p), q.detach())
    assert not torch.equal(here[0].detach(), start[0])


def test_a_clone_of_the_grad_is_not_needed() -> None:
    p = on_device(torch.ones(3)).requires_grad_()
    opt = compat.SGD([p], lr=0.5)
    p.grad = on_device(torch.ones(3))
    opt.step()
    assert on_host(p).tolist() == [0.5] * 3
    assert p._version > 0


def test_gradients_are_not_kept_alive() -> None:
    p = on_device(torch.ones(3)).requires_grad_()
    opt = compat.SGD([p], lr=0.5)
    p.grad = on_device(torch.ones(3))
    gone = weakref.ref(p.grad)
    opt.step()
    p.grad = None
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(HARDWARE, reason="watches the stand-in's launches")
def test_steps_are_on_the_stream_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    p = on_device(torch.ones(3)).requires_grad_()
    opt = compat.SGD([p], lr=0.5)
    p.grad = on_device(torch.ones(3))
    monkeypatch.setattr(OnStandInStream, "current", 77)
    with device.recorded() as launches:
        opt.step()
    assert [(where, stream) for where, stream, _ in launches] == [(0, 77)]
    assert device.get_current_stream().ptr == 0


needs_device = pytest.mark.skipif(not HARDWARE, reason="the stand-in's arrays are no tensors")


@needs_device
def test_a_side_stream_is_waited_for_by_nobody() -> None:
    """What is computed and stepped on one stream is in order there."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        p = torch.zeros(2**24, device="cuda", requires_grad=True)
        opt = compat.SGD([p], lr=1.0)
        for _ in range(20):
            torch.cuda._sleep(2_000_000)  # type: ignore[no-untyped-call]
            p.grad = torch.ones_like(p)
            opt.step()
            with torch.no_grad():
                p.mul_(2)
        total = p.detach().clone()
    stream.synchronize()
    assert (total == -sum(2.0**i for i in range(1, 21))).all()


def model(seed: int) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(17, 33), torch.nn.Tanh(), torch.nn.Linear(33, 5))


def train(net: Any, opt: Any, steps: range) -> list[float]:
    losses = []
    for t in steps:
        where = next(net.parameters()).device
        random = torch.Generator().manual_seed(t)
        x = torch.randn(64, 17, generator=random).to(where)
        loss = net(x).square().mean()
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        opt.step()
        losses.append(loss.item())
    return losses


@needs_device
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Rprop"])
def test_state_is_shown_and_moves_to_torch_and_back(name: str) -> None:
    options = {} if name == "Rprop" else {"weight_decay": 0.01}
    if name == "SGD":
        options["momentum"] = 0.9
    mine, theirs = model(1).cuda(), model(1).cuda()
    ours = getattr(compat, name)(mine.parameters(), **options)
    other = getattr(torch.optim, name)(theirs.parameters(), **options)
    assert train(mine, ours, range(5)) == pytest.approx(train(theirs, other, range(5)), rel=1e-5)
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)
        for key, value in other.state[q].items():
            found = ours.state[p][key]
            assert key == "step" or found.device == p.device
            torch.testing.assert_close(found.cpu(), value.cpu(), rtol=1e-4, atol=1e-6)
    one, two = ours.state_dict(), other.state_dict()
    other.load_state_dict(one)
    ours.load_state_dict(two)
    with torch.no_grad():
        for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
            p.copy_(q)
    assert train(mine, ours, range(5, 9)) == pytest.approx(
        train(theirs, other, range(5, 9)), rel=1e-4
    )


@needs_device
def test_state_shares_memory() -> None:
    p = torch.ones(5, device="cuda", requires_grad=True)
    opt = compat.AdamW([p])
    p.grad = torch.ones_like(p)
    opt.step()
    shown = opt.state[p]["exp_avg"]
    before = shown.clone()
    opt.step()
    assert (shown != before).all()
    shown.zero_()
    assert (opt.state[p]["exp_avg"] == 0).all()


@needs_device
def test_a_model_that_is_moved_goes_on() -> None:
    stays, moves = model(2), model(2)
    here, there = (compat.AdamW(net.parameters(), weight_decay=0.1) for net in (stays, moves))
    grads = [torch.randn_like(p) for p in stays.parameters()]
    for _ in range(2):
        for net, opt in ((stays, here), (moves, there)):
            for p, g in zip(net.parameters(), grads, strict=True):
                p.grad = g.to(p.device)
            opt.step()
        moves.cuda()
    for p, q in zip(stays.parameters(), moves.parameters(), strict=True):
        assert torch.equal(p, q.cpu())


@needs_device
def test_grad_scaler_and_autocast() -> None:
    net = model(3).cuda()
    opt = compat.Adam(net.parameters())
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**40)  # the first steps overflow
    before = [p.detach().clone() for p in net.parameters()]
    for t in range(40):
        with torch.autocast("cuda", torch.float16):
            loss = net(torch.randn(64, 17, device="cuda")).square().mean()
        opt.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        if t == 0:
            assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    assert scaler.get_scale() < 2.0**40
    assert not any(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    assert all(p.isfinite().all() for p in net.parameters())
