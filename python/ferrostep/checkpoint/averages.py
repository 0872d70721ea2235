"""One average of weights, or several by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ferrostep.checkpoint import values
from ferrostep.checkpoint.checks import (
    Content,
    by_name,
    class_difference,
    matched,
    names,
    objects,
    read_keys,
    tensor_name,
)
from ferrostep.checkpoint.container import Array, Container, Unread, storable
from ferrostep.differences import of_names
from ferrostep.loading import Loading

if TYPE_CHECKING:
    from ferrostep.checkpoint.needs import Averaging

AVERAGE = {"name", "class", "updates", "options", "keys"}


def save(averages: Any, arrays: dict[str, Array]) -> Content:
    content = []
    for name, average in _averages(averages):
        saved = average.state_dict(copy=False)
        for key, array in saved["averages"].items():
            arrays[_tensor(name, key)] = storable(array, f"average {key!r}")
        content.append(
            {
                "name": name,
                "class": type(average).__name__,
                "updates": saved["updates"],
                "options": values.encode(saved["options"], "the options of an average"),
                "keys": list(saved["averages"]),
            }
        )
    return content


def tensors(content: Content) -> Iterator[str]:
    for saved in objects(content, AVERAGE, "averages"):
        for key in read_keys(saved["keys"], "the keys of an average"):
            yield _tensor(saved["name"], key)


def differences(averages: Any, content: Content, file: Container) -> Iterator[str]:
    given = _averages(averages)
    yield from of_names("the checkpoint", *names(given, content), "average")
    for name, average, saved in matched(given, content):
        label = "" if name is None else f"average {name!r}: "
        other = class_difference(saved, type(average).__name__)
        found = average._differences(_state(saved, file)) if other is None else [other]
        yield from (label + difference for difference in found)


def plan(averages: Any, content: Content, file: Container, loading: Loading) -> None:
    for _, average, saved in matched(_averages(averages), content):
        for action in average._plan_load(_state(saved, file)):
            loading.add(action)


def _averages(given: Any) -> list[tuple[str | None, Averaging]]:
    """The averages with their names; None for a single one."""
    found = by_name(given, "averages")
    for _, average in found:
        if not hasattr(average, "averages"):
            raise TypeError(
                f"averages must be one of ferrostep.averages or a dict of them, "
                f"found {type(average).__name__}"
            )
    return found


def _state(saved: Content, file: Container) -> dict[str, Any]:
    """The state dict as it was; arrays are read when they are asked for."""
    return {
        "updates": saved["updates"],
        "averages": {key: Unread(file, _tensor(saved["name"], key)) for key in saved["keys"]},
        "options": values.decode(saved["options"], "the options of an average"),
    }


def _tensor(name: str | None, key: str | int) -> str:
    return tensor_name("average", *([] if name is None else [name]), key)
