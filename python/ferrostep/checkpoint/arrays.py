"""Parameters by name or position; their content is the list of these keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ferrostep.backends import cuda
from ferrostep.checkpoint.aliases import check_aliases
from ferrostep.checkpoint.checks import Content, read_keys, tensor_name
from ferrostep.checkpoint.container import Array, Container, check_storable, storable
from ferrostep.differences import of_names
from ferrostep.loading import Loading
from ferrostep.params import adopted, read_params


def save(params: Any, arrays: dict[str, Array]) -> Content:
    named = _targets(params)  # what could not be loaded again is not saved
    for key, array in named.items():
        arrays[tensor_name("param", key)] = storable(array, _label(key))
    return list(named)


def tensors(content: Content) -> Iterator[str]:
    return (tensor_name("param", key) for key in read_keys(content, "params"))


def differences(params: Any, content: Content, file: Container) -> Iterator[str]:
    targets = _targets(params)
    yield from of_names("the checkpoint", content, targets, "parameter")
    saved = set(content)
    for key, target in targets.items():
        if adopted(target) is None and not target.flags.writeable:
            yield f"{_label(key)} is read-only, wanted writable to be loaded in place"
        if key in saved:
            found, label = file.tensors[tensor_name("param", key)], _label(key)
            if (found.shape, found.dtype) != (target.shape, target.dtype.name):
                yield (
                    f"{label} has shape {found.shape} and dtype {found.dtype} in the checkpoint, "
                    f"wanted shape {target.shape} and dtype {target.dtype.name}"
                )


def plan(params: Any, content: Content, file: Container, loading: Loading) -> None:
    for key, target in _targets(params).items():
        saved = file.read(tensor_name("param", key))
        if adopted(target) is None:
            # ndarray's own: a subclass may have another, in Python.
            loading.add(partial(np.ndarray.__setitem__, target, ..., saved))
        else:
            # What can fail for want of memory is done now.
            on_device = cuda.empty_like(target, target.dtype.name)
            cuda.assign(on_device, saved)
            loading.add(partial(cuda.copy_back, target, on_device))


def _targets(params: Any) -> dict[str | int, Any]:
    """The arrays by name or position: such as a checkpoint can hold, and each in its own memory."""
    given = read_params(params)
    names, arrays = given.names, given.arrays
    keys: list[Any] = list(range(len(arrays))) if names is None else names
    named = dict(zip(keys, arrays, strict=True))
    for key, array in named.items():
        check_storable(array, _label(key))
    check_aliases([*map(_label, named)], arrays)
    return named


def _label(key: str | int) -> str:
    return f"parameter {key!r}"
