"""Parameters by name or position; their content is the list of these keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import setitem
from typing import Any

from ferrostep.backends import cuda
from ferrostep.checkpoint.checks import Content, read_keys, tensor_name
from ferrostep.checkpoint.container import Array, Container, storable
from ferrostep.checkpoint.parts import Loading
from ferrostep.params import adopted, read_params


def save(params: Any, arrays: dict[str, Array]) -> Content:
    given = read_params(params)
    names, found = given.names, given.arrays
    keys = list(range(len(found))) if names is None else names
    for key, array in zip(keys, found, strict=True):
        arrays[tensor_name("param", key)] = storable(array, f"parameter {key!r}")
    return keys


def tensors(content: Content) -> Iterator[str]:
    return (tensor_name("param", key) for key in read_keys(content, "params"))


def plan(params: Any, content: Content, file: Container, loading: Loading) -> None:
    given = read_params(params)
    names, targets = given.names, given.arrays
    keys = list(range(len(targets))) if names is None else names
    if set(keys) != set(content):
        raise ValueError(f"the checkpoint has the parameters {content!r}, wanted {keys!r}")
    for key, target in zip(keys, targets, strict=True):
        if adopted(target) is None:
            storable(target, f"parameter {key!r}")
            if not target.flags.writeable:
                raise ValueError(f"parameter {key!r} is read-only")
        saved = file.tensors[tensor_name("param", key)]
        if (saved.shape, saved.dtype) != (target.shape, target.dtype.name):
            raise ValueError(
                f"parameter {key!r} is {saved.dtype} {saved.shape} in the checkpoint, "
                f"wanted {target.dtype.name} {target.shape}"
            )
    for key, target in zip(keys, targets, strict=True):
        saved_array = file.read(tensor_name("param", key))
        if adopted(target) is None:
            loading.add(partial(setitem, target, ..., saved_array))
        else:
            # What can fail for want of memory is done now.
            on_device = cuda.empty_like(target, target.dtype.name)
            cuda.assign(on_device, saved_array)
            loading.add(partial(cuda.copy_back, target, on_device))
