"""Tensors as arrays of the same memory, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ferrostep._native import Rows

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


def gradient_of(tensor: Any, label: str, dense: bool) -> Any:
    """Return the gradient as our step takes it: that of an embedding as rows, or `dense`."""
    gradient = tensor.grad
    if gradient is None:
        return None
    if dense and gradient.layout != torch.strided:
        gradient = gradient.detach().to_dense()
    if gradient.layout != torch.sparse_coo:
        return array_of(gradient.resolve_neg(), f"the gradient of {label}")
    if gradient.sparse_dim() != 1:
        raise TypeError(
            f"the gradient of {label} must be sparse in its first axis alone, found "
            f"{gradient.sparse_dim()} sparse axes; give p.grad.to_dense()"
        )
    # Repeated rows are added up in their order, coalesced or not.
    gradient = gradient.detach()
    values = gradient.values() if gradient.is_coalesced() else gradient._values()
    indices = gradient.indices() if gradient.is_coalesced() else gradient._indices()
    return Rows(indices[0].cpu().numpy(), array_of(values, f"the gradient of {label}"))


def tensor_of(array: Any) -> Any:
    """Return a tensor of an array's memory."""
    if not isinstance(array, np.ndarray):
        return torch.from_dlpack(array)
    if array.dtype.name == "bfloat16":  # torch does not know ml_dtypes
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def place_of(tensor: Any) -> tuple[Any, ...]:
    """Return what changes when a tensor is given other memory, or another view of it."""
    pointer = tensor.data_ptr() if tensor.numel() else 0
    return pointer, tensor.shape, tensor.stride(), tensor.dtype, tensor.device
