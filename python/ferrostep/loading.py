"""Taking over what has been checked: all of it or nothing, also where Ctrl-C comes in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import call
from typing import Any

Action = Callable[[], object]


class Loading:
    """What is still to be done when everything has been checked."""

    def __init__(self) -> None:
        self._tentative: list[tuple[Action, Action]] = []
        self._final: list[Action] = []

    def try_first(self, do: Action, undo: Action) -> None:
        """For a user's own code, which checks as it loads. `undo` may be asked for twice."""
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
            # It ends by forgetting how to go back.
            at_once([*self._final, done.clear])()
        except BaseException as error:
            try:
                _take_back(done, error, Exception)
            except BaseException:  # an interrupt on the way back, which is gone all the same
                _take_back(done, error, BaseException)
                raise
            raise


def at_once(actions: Iterable[Action]) -> Action:
    """Return one action that does all of these in one call without Python code.

    No signal's handler runs between them.
    """
    return partial(deque, map(call, actions), maxlen=0)


def restoring(dicts: Iterable[dict[str, Any]]) -> Action:
    """Return what gives these dicts back the very entries that they have now.

    And the lists and dicts among their values theirs.
    """
    back: list[Action] = []
    found: dict[int, Any] = {}
    ahead: list[Any] = list(dicts)
    while ahead:
        value = ahead.pop()
        if id(value) in found or type(value) not in (dict, list):
            continue
        found[id(value)] = value
        if type(value) is dict:
            back += [value.clear, partial(value.update, dict(value))]
            ahead += value.values()
        else:
            back += [value.clear, partial(value.extend, list(value))]
            ahead += value
    return lambda: at_once(back)()


def _take_back(done: list[Action], error: BaseException, caught: type[BaseException]) -> None:
    """Undo all, the last first; one that fails does not stop the others."""
    while done:
        try:
            done[-1]()
        except caught as failed:
            error.add_note(f"not everything could be taken back: {failed!r}")
        done.pop()
