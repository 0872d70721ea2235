"""What a part of a checkpoint does: it is saved, has tensors, and is loaded in two moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from operator import call
from typing import Any, Protocol

from ferrostep.checkpoint.checks import Content
from ferrostep.checkpoint.container import Array, Container

Action = Callable[[], object]


class Loading:
    """What is still to be done when everything has been checked."""

    def __init__(self) -> None:
        self._tentative: list[tuple[Action, Action]] = []
        self._final: list[Action] = []

    def try_first(self, do: Action, undo: Action) -> None:
        """For what checks as it loads, in Python code."""
        self._tentative.append((do, undo))

    def add(self, do: Action) -> None:
        """For what cannot fail any more and cannot be undone; without Python code, if it can."""
        self._final.append(do)

    def take_over(self) -> None:
        """Do it all, or nothing: also if an interrupt comes in between."""
        done: list[Action] = []
        try:
            for do, undo in self._tentative:
                done.append(undo)
                do()
            # One call without Python code, in which no signal's handler runs. It ends by
            # forgetting how to go back.
            deque(map(call, [*self._final, done.clear]), maxlen=0)
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
