"""One scheduler, or several by name or in a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ferrostep.checkpoint import values
from ferrostep.checkpoint.checks import (
    Content,
    Named,
    class_difference,
    distinct,
    matched,
    names,
    objects,
)
from ferrostep.checkpoint.container import Array, Container
from ferrostep.differences import of_names
from ferrostep.loading import Loading
from ferrostep.schedulers.base import plan_load

SCHEDULER = {"name", "class", "state"}


def save(schedulers: Any, arrays: dict[str, Array]) -> Content:
    return [
        {
            "name": name,
            "class": type(scheduler).__name__,
            "state": values.encode(scheduler.state_dict(), type(scheduler).__name__),
        }
        for name, scheduler in _schedulers(schedulers)
    ]


def tensors(content: Content) -> Iterator[str]:
    objects(content, SCHEDULER, "schedulers")
    return iter(())


def differences(schedulers: Any, content: Content, file: Container) -> Iterator[str]:
    given = _schedulers(schedulers)
    yield from of_names("the checkpoint", *names(given, content), "scheduler")
    for _, scheduler, saved in matched(given, content):
        other = class_difference(saved, type(scheduler).__name__)
        if other is not None:
            yield other
            continue
        try:
            plan_load(scheduler, _state(saved), Loading())
        except (ValueError, TypeError) as error:
            yield f"{type(scheduler).__name__} refuses its state: {error}"


def plan(schedulers: Any, content: Content, file: Container, loading: Loading) -> None:
    for _, scheduler, saved in matched(_schedulers(schedulers), content):
        plan_load(scheduler, _state(saved), loading)


def _state(saved: Content) -> Any:
    return values.decode(saved["state"], f"the state of {saved['class']}")


def _schedulers(given: Any) -> Named:
    """The schedulers with their names or positions; None for a single one."""
    if isinstance(given, dict):
        found: Named = list(given.items())
    else:
        found = list(enumerate(given)) if isinstance(given, list | tuple) else [(None, given)]
    for name, scheduler in found:
        if isinstance(given, dict) and not isinstance(name, str):
            raise ValueError(f"a scheduler's name must be a str, found {name!r}")
        if not all(hasattr(scheduler, need) for need in ("state_dict", "load_state_dict")):
            raise TypeError(
                f"schedulers must have state_dict and load_state_dict, "
                f"found {type(scheduler).__name__}"
            )
    return distinct(found, "schedulers")
