"""What a part of a checkpoint does: it is saved, has tensors, and is loaded in two moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ferrostep.checkpoint.checks import Content
from ferrostep.checkpoint.container import Array, Container

Action = Callable[[], object]


class Loading:
    """What is still to be done when everything has been checked."""

    def __init__(self) -> None:
        self._steps: list[tuple[Action, Action]] = []

    def add(self, do: Action, undo: Action = lambda: None) -> None:
        self._steps.append((do, undo))

    def take_over(self) -> None:
        """Do it all. Schedulers, which check as they load, come first and can be taken back."""
        done: list[Action] = []
        try:
            for do, undo in self._steps:
                done.append(undo)
                do()
        except BaseException:
            for undo in reversed(done):
                undo()
            raise


class Part(Protocol):
    """The modules of the parts are written to this."""

    def save(self, given: Any, arrays: dict[str, Array], /) -> Content:
        """Return what is saved of `given` as JSON, and put its arrays beside it."""

    def tensors(self, content: Content, /) -> Iterator[str]:
        """Check the content's layout; give the names of its arrays."""

    def plan(self, given: Any, content: Content, file: Container, loading: Loading, /) -> None:
        """Check all against what to load into, read all, and leave the rest to `loading`."""
