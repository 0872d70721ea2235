"""Tensors on a CUDA device go through CuPy: on a real one if there is one, else on its stand-in."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ferrostep.compat import torch as compat
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


def on_device(tensor: torch.Tensor) -> Any:
    return tensor.cuda() if HARDWARE else tensor.detach().clone().as_subclass(OnStandIn)


def on_host(tensor: Any) -> torch.Tensor:
    return tensor.detach().cpu() if HARDWARE else tensor.detach().as_subclass(torch.Tensor)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Lion"])
def test_the_bits_of_the_host(name: str, dtype: torch.dtype) -> None:
    cls = getattr(compat, name)
    random = torch.Generator().manual_seed(1)
    start = [torch.randn(n, generator=random).to(dtype) for n in ((5, 7), (3,), ())]
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
