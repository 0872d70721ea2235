"""An interrupt at every moment at which CPython lets one in, and without timers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any


def interrupted_at(event: int, call: Callable[[], object]) -> bool:
    """Make a call with a KeyboardInterrupt at the `event`-th call or return of a function within.

    Returns whether it came to that. A ValueError of the call's own is an end as any other; so is
    none at all, since CPython drops what is raised while an object is let go.
    """
    seen = 0

    def hook(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == event:
            raise KeyboardInterrupt  # which also takes the hook away

    try:
        sys.setprofile(hook)
        try:  # noqa: SIM105 -- suppress() is Python code of its own
            call()
        except ValueError:
            pass
        sys.setprofile(None)
    except KeyboardInterrupt:
        pass
    return seen >= event


def interrupts(call: Callable[[], Callable[[], object]], since: Any = None) -> Iterator[int]:
    """Interrupt what `call` makes, new each time, at its first moment, its second, and so on.

    Before the function `since` begins, which changes nothing yet, a part of them will do.
    """
    begun: list[int] = []
    seen = 0

    def look(frame: Any, *_: Any) -> None:
        nonlocal seen
        seen += 1
        if since is None or frame.f_code is since.__code__:
            begun.append(seen)

    made = call()
    with suppress(ValueError):
        sys.setprofile(look)
        made()
    sys.setprofile(None)
    assert begun, "it never came to that"
    event = 1
    while interrupted_at(event, call()):
        yield event
        event += 1 if event >= begun[0] - 20 else 19
