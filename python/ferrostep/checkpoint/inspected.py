"""What is in a checkpoint, by its header alone: no array is read, and there is no run to fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ferrostep.checkpoint import content, values
from ferrostep.checkpoint.checks import Content
from ferrostep.checkpoint.container import Container, Tensor
from ferrostep.checkpoint.optimizers import MEMORY, check_saved
from ferrostep.checkpoint.paths import open_regular, read_path
from ferrostep.saved import LOADED, WRAPPERS, check_layout, whole, wrappers_in


class Stored:
    """An array that is in the file and was not read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<array {self._name!r}>"


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a checkpoint says of itself, as JSON has it, and the layout of its arrays.

    Raises
    ------
    ValueError
        If the file is damaged, or no checkpoint.
    OSError
        If it cannot be read.
    """
    path = read_path(path)
    with open_regular(path) as opened:
        try:
            file = Container(opened)
            found = content.read(file)
            _check(found)
        except ValueError as error:
            raise ValueError(f"cannot read {path!r}: {error}") from error
        size = os.fstat(opened.fileno()).st_size
    arrays = [_layout(name, file.tensors[name]) for name in content.tensors(found)]
    return {"file": path, "bytes": size, **found, "arrays": arrays}


def readable(value: Any, what: str, prefix: str | None = None) -> Any:
    """Return what JSON stands for, with `Stored` for arrays where there may be any, so named."""
    return values.decode(value, what, None if prefix is None else Stored, prefix or "")


def groups_of(saved: Content) -> list[dict[str, Any]]:
    """Return the groups of an optimizer, with their options."""
    return [readable(group, "a group") for group in saved["groups"]]


def wrappers_of(saved: Content) -> list[Mapping[str, Any]]:
    """Return what an optimizer is in, the outermost first."""
    return wrappers_in({WRAPPERS: readable(saved.get(WRAPPERS, []), "the wrappers", "wrappers/")})


def extra_of(content: Content) -> dict[str, Any]:
    """Return what was saved as extra."""
    found: dict[str, Any] = readable(content["extra"], "extra", "extra/")
    return found


def _layout(name: str, tensor: Tensor) -> dict[str, Any]:
    size = tensor.end - tensor.begin
    return {"name": name, "dtype": tensor.dtype, "shape": list(tensor.shape), "bytes": size}


def _check(found: Mapping[str, Any]) -> None:
    """Refuse what no checkpoint has, as far as it can be told without the classes."""
    for saved in found["optimizers"] or ():
        _check_class(saved["class"], "an optimizer")
        whole(saved["skipped_steps"], "skipped_steps", LOADED)
        check_saved(saved)
        check_layout({"state": {}, "param_groups": groups_of(saved)})
        for entry in saved["state"]:
            whole(entry["step"], f"the step of parameter {entry['key']!r:.80}", LOADED)
            readable(entry.get(MEMORY), "a memory")
        wrappers_of(saved)
    for saved in found["schedulers"] or ():
        _check_class(saved["class"], "a scheduler")
        readable(saved["state"], "the state of a scheduler")
    for saved in found["averages"] or ():
        _check_class(saved["class"], "an average")
        whole(saved["updates"], "the updates of an average", LOADED)
        options = readable(saved["options"], "the options of an average")
        if not isinstance(options, dict):
            raise ValueError(f"the options of an average must be a dict, found {options!r:.80}")
    if not isinstance(extra_of(found), dict):
        raise ValueError(f"the checkpoint's extra must be a dict, found {found['extra']!r:.80}")


def _check_class(name: object, what: str) -> None:
    if not isinstance(name, str):
        raise ValueError(f"the class of {what} must be a str, found {name!r:.80}")
