"""What a rule that measures takes of its tensors before their update."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrostep._native import LANES
from ferrostep.backends.cuda.library import cupy
from ferrostep.backends.cuda.norm import fold_each, fold_lanes
from ferrostep.backends.cuda.update import by_value, compiled, launch


def measuring_kernels(device: int, source: str) -> tuple[Any, Any]:
    """Return the kernels of a source that come before its update."""
    terms, measured = (compiled(device, source, f"ferrostep_{x}") for x in ("terms", "measured"))
    return terms, measured


def measured(
    device: int,
    kernels: tuple[Any, Any],
    tables: tuple[Any, Any],
    shape: tuple[int, int, int, int],
    update: tuple[bytes, int, int],
    own: tuple[bytes, Any, int],
    beside: tuple[Any, ...],
) -> tuple[Any, Any]:
    """Return the scalars of each tensor, and the sums they follow from, both on the device.

    `tables` are that of the tensors and that of what is summed, a row for each sum and tensor;
    `shape` is the number of tensors, of sums, of the leaves of one sum, and of those of the longest
    tensor; `update` is what the update takes of scalars and the clipping factor; `own` has the
    scalars before they are rounded, an array of those of each tensor where they differ, and the
    bytes of what a tensor gets; `beside` is what else the kernel of terms takes.
    """
    (tensors, summed), (count, sums, leaves, longest) = tables, shape
    (scalars, clip, apart), (unrounded, each, size) = update, own
    terms, follow = kernels
    xp = cupy()
    with xp.cuda.Device(device):
        partials = xp.empty(sums * leaves * LANES, np.float64)
        arguments: tuple[Any, ...] = (tensors, summed, np.int32(count), by_value(scalars))
        arguments += (np.uint64(clip), np.int64(apart), np.int64(leaves), partials)
        arguments += beside
        launch(terms, leaves * LANES, arguments)
        by_leaf = fold_lanes(device, partials)
        folded = fold_each(device, summed, sums * count, sums * leaves, longest, by_leaf)
        scalars_of_each = xp.empty(count * size, np.uint8)
        arguments = (summed, np.int32(count), by_value(unrounded))
        arguments += (np.uint64(0) if each is None else each, folded, scalars_of_each)
        launch(follow, count, arguments)
        return scalars_of_each, folded


def read_sums(folded: Any, places: list[int]) -> list[float]:
    """Return the sums in these places, waiting for them."""
    with cupy().cuda.Device(folded.data.device_id):
        sums: list[float] = cupy().asnumpy(folded)[places].tolist()
        return sums
