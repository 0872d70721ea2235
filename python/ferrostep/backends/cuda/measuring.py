"""What a rule that measures takes of its tensors before their update."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ferrostep._native import LANES
from ferrostep.backends.cuda.library import cupy
from ferrostep.backends.cuda.norm import FOLD_EACH, fold_each, fold_lanes, launch_of
from ferrostep.backends.cuda.update import by_value, launch


def leaf_terms(
    device: int,
    terms: Any,
    tables: tuple[Any, Any],
    shape: tuple[int, int, int, int],
    update: tuple[bytes, int, int],
    beside: tuple[Any, ...] = (),
) -> Any:
    """Return the sums of leaves on the device, those of the first sum first.

    `tables` are that of the tensors and that of what is summed, a row for each sum and tensor;
    `shape` is the number of tensors, of sums, of the leaves of one sum, and of those of the longest
    tensor; `update` is what the update takes of scalars and the clipping factor; `beside` is what
    else the kernel takes.
    """
    (tensors, summed), (count, sums, leaves, _) = tables, shape
    scalars, clip, apart = update
    xp = cupy()
    with xp.cuda.Device(device):
        partials = xp.empty(sums * leaves * LANES, np.float64)
        arguments: tuple[Any, ...] = (tensors, summed, np.int32(count), by_value(scalars))
        arguments += (np.uint64(clip), np.int64(apart), np.int64(leaves), partials)
        arguments += beside
        launch(terms, leaves * LANES, arguments)
        return fold_lanes(device, partials)


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

    The arguments are those of `leaf_terms`, but for `own`: the scalars before they are rounded, an
    array of those of each tensor where they differ, and the bytes of what a tensor gets.
    """
    (_, summed), (count, sums, leaves, longest) = tables, shape
    (terms, follow), (unrounded, each, size) = kernels, own
    xp = cupy()
    with xp.cuda.Device(device):
        by_leaf = leaf_terms(device, terms, tables, shape, update, beside)
        shape_of_all = (sums * count, sums * leaves, longest)
        folded = fold_each(partial(launch_of, device, FOLD_EACH), summed, *shape_of_all, by_leaf)
        scalars_of_each = xp.empty(count * size, np.uint8)
        arguments: tuple[Any, ...] = (summed, np.int32(count), by_value(unrounded))
        arguments += (np.uint64(0) if each is None else each, folded, scalars_of_each)
        launch(follow, count, arguments)
        return scalars_of_each, folded


def read_sums(folded: Any, places: list[int]) -> list[float]:
    """Return the sums in these places, waiting for them."""
    with cupy().cuda.Device(folded.data.device_id):
        sums: list[float] = cupy().asnumpy(folded)[places].tolist()
        return sums


def read_bytes(array: Any) -> bytes:
    """Return what an array holds, waiting for it."""
    with cupy().cuda.Device(array.data.device_id):
        read: bytes = cupy().asnumpy(array).tobytes()
        return read
