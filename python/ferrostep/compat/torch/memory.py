"""Tensors as arrays of the same memory, and back."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from ferrostep._native import Rows
from ferrostep.backends.cuda import adopt, unowned
from ferrostep.backends.cuda.library import cupy

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def array_of(tensor: Any, label: str) -> Any:
    """Return a NumPy array of a tensor's memory; of one on a device a tensor that CuPy takes."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{label} must be a tensor, found {type(tensor).__name__}")
    if tensor.dtype not in _FLOATS:
        remedy = "torch.view_as_real(p)" if tensor.is_complex() else "p.float()"
        raise TypeError(
            f"{label} must be float16, bfloat16, float32 or float64, found {tensor.dtype}; "
            f"give {remedy}"
        )
    if tensor.layout != torch.strided or tensor.device.type not in ("cpu", "cuda"):
        raise TypeError(
            f"{label} must be a dense tensor on the CPU or a CUDA device, found {tensor.layout} "
            f"on {tensor.device}; use torch's class for it"
        )
    if tensor.numel() and not tensor.data_ptr():
        raise ValueError(f"{label} must have memory, found none: its storage was freed")
    tensor = tensor.detach()
    if tensor.device.type == "cuda":
        return tensor
    return shown_by_numpy(tensor)


def shown_by_numpy(tensor: Any) -> Any:
    """Return an array of a tensor's host memory, of whatever type."""
    if tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError(
            "bfloat16 tensors need ml_dtypes; pip install ferrostep[bfloat16]"
        ) from error
    return tensor.view(torch.uint16).numpy().view(ml_dtypes.bfloat16)


class Gradients:
    """The gradients of parameters, as our step takes them."""

    def __init__(self, count: int) -> None:
        #: Where each was that is on a device, and the array of that memory, which does not own it:
        #: an allocator hands out the same again, and to make an array takes longer than a step.
        self._seen: list[tuple[Any, Any]] = [(None, None)] * count

    def of(self, i: int, tensor: Any, dense: bool) -> Any:
        """Return the gradient of parameter i: that of an embedding as rows, or `dense`."""
        gradient, label = tensor.grad, f"the gradient of parameter {i}"
        if gradient is None:
            return None
        if dense and gradient.layout != torch.strided:
            gradient = gradient.detach().to_dense()
        if gradient.layout == torch.sparse_coo:
            return _rows(gradient.detach(), label)
        gradient = gradient.resolve_neg()
        if gradient.device.type != "cuda":
            return array_of(gradient, label)
        place = place_of(gradient)
        if place != self._seen[i][0]:
            self._seen[i] = place, unowned(adopt(array_of(gradient, label)))
        return self._seen[i][1]


def _rows(gradient: Any, label: str) -> Rows:
    """Return a sparse gradient; repeated rows are added up in their order, coalesced or not."""
    if gradient.sparse_dim() != 1:
        raise TypeError(
            f"{label} must be sparse in its first axis alone, found {gradient.sparse_dim()} sparse "
            "axes; give p.grad.to_dense()"
        )
    values = gradient.values() if gradient.is_coalesced() else gradient._values()
    indices = gradient.indices() if gradient.is_coalesced() else gradient._indices()
    return Rows(indices[0].cpu().numpy(), array_of(values, label))


def tensor_of(array: Any) -> Any:
    """Return a tensor of an array's memory."""
    if not isinstance(array, np.ndarray):
        return torch.from_dlpack(array)
    if array.dtype.name == "bfloat16":  # torch does not know ml_dtypes
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def number_of(value: float) -> Any:
    """Return a tensor of a number that a rule remembers; torch's own step takes it in this type."""
    return torch.tensor(value, dtype=torch.float64)


def place_of(tensor: Any) -> tuple[Any, ...]:
    """Return what changes when a tensor is given other memory, or another view of it."""
    pointer = tensor.data_ptr() if tensor.numel() else 0
    return pointer, tensor.shape, tensor.stride(), tensor.dtype, tensor.device


def on_streams_of(tensors: Iterable[Any]) -> ExitStack:
    """Let CuPy work on torch's current streams within the context."""
    entered = ExitStack()
    places = {p.device for p in tensors if isinstance(p, torch.Tensor)}
    for place in (place for place in places if place.type == "cuda"):
        entered.enter_context(cupy().cuda.Device(place.index))
        stream = torch.cuda.current_stream(place)
        entered.enter_context(cupy().cuda.Stream.from_external(stream))
    return entered
