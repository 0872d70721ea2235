"""Parameters by name or position; their content is the list of these keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ferrostep.backends import cuda
from ferrostep.checkpoint.aliases import check_aliases
from ferrostep.checkpoint.checks import Content, read_keys, tensor_name
from ferrostep.checkpoint.container import Array, Container, check_storable, storable
from ferrostep.differences import of_names, refuse
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
        if key in saved:
            yield from _misfits({key: (key, target)}, file)
        else:
            yield from _read_only(key, target)


def plan(params: Any, content: Content, file: Container, loading: Loading) -> None:
    _plan({key: (key, target) for key, target in _targets(params).items()}, file, loading)


def shapes(content: Content, file: Container) -> list[tuple[int, ...]]:
    """Return those of the parameters in the file."""
    return [file.tensors[tensor_name("param", key)].shape for key in content]


def plan_some(
    params: Any, keys: Sequence[str | int], content: Content, file: Container, loading: Loading
) -> None:
    """Read the parameters with these keys, by name; by position, if there or here are no names."""
    targets = _targets(params)
    by_name = all(isinstance(key, str) for key in [*targets, *content])
    position = {key: i for i, key in enumerate(targets)}
    chosen = {key: (key if by_name else content[position[key]], targets[key]) for key in keys}
    refuse(_misfits(chosen, file))
    _plan(chosen, file, loading)


#: What to load into, by its key here, with the key that it has in the file.
_Chosen = dict[str | int, tuple[str | int, Any]]


def _misfits(chosen: _Chosen, file: Container) -> Iterator[str]:
    for key, (there, target) in chosen.items():
        yield from _read_only(key, target)
        found = file.tensors[tensor_name("param", there)]
        if (found.shape, found.dtype) != (target.shape, target.dtype.name):
            yield (
                f"{_label(key)} has shape {found.shape} and dtype {found.dtype} in the checkpoint, "
                f"wanted shape {target.shape} and dtype {target.dtype.name}"
            )


def _read_only(key: str | int, target: Any) -> Iterator[str]:
    if adopted(target) is None and not target.flags.writeable:
        yield f"{_label(key)} is read-only, wanted writable to be loaded in place"


def _plan(chosen: _Chosen, file: Container, loading: Loading) -> None:
    for there, target in chosen.values():
        loading.add(cuda.assigning(target, file.read(tensor_name("param", there))))


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
