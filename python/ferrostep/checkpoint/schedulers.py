"""One scheduler, or several by name or in a list."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ferrostep.checkpoint import values
from ferrostep.checkpoint.checks import Content, Named, matched, objects
from ferrostep.checkpoint.container import Array, Container
from ferrostep.checkpoint.parts import Loading

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


def plan(schedulers: Any, content: Content, file: Container, loading: Loading) -> None:
    for scheduler, saved in matched(_schedulers(schedulers), content, "schedulers"):
        state = values.decode(saved["state"], f"the state of {saved['class']}")
        before = scheduler.state_dict()
        loading.try_first(
            partial(_load_scheduler, scheduler, state),
            partial(scheduler.load_state_dict, before),
        )


def _load_scheduler(scheduler: Any, state: Any) -> None:
    try:
        scheduler.load_state_dict(state)
    except Exception as error:  # a user's own class may fail in any way at what it did not save
        raise ValueError(f"{type(scheduler).__name__} refuses its state: {error}") from error


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
    return found
