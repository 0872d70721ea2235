"""All that does not fit what to load into, told in one error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

#: How many differences an error lists, and how much of each.
MOST, LENGTH = 30, 300


def refuse(differences: Iterable[str]) -> None:
    """Raise a ValueError that lists them, if there are any."""
    found = list(differences)
    if len(found) == 1:
        raise ValueError(found[0])
    if found:
        lines = [f"{line[:LENGTH]}..." if len(line) > LENGTH else line for line in found[:MOST]]
        if len(found) > MOST:
            lines.append(f"and {len(found) - MOST} more")
        raise ValueError(f"{len(found)} things do not fit:\n  " + "\n  ".join(lines))


def of_names(source: str, there: Iterable[Any], wanted: Iterable[Any], what: str) -> Iterator[str]:
    """Say which names `source` lacks, and which are not wanted of it."""
    found, asked = dict.fromkeys(there), dict.fromkeys(wanted)
    for name in asked:
        if name not in found:
            yield f"{source} lacks {_called(what, name)}"
    for name in found:
        if name not in asked:
            yield f"{source} has {_called(what, name)}, which is not asked for"


def _called(what: str, name: Any) -> str:
    return f"an unnamed {what}" if name is None else f"{what} {name!r:.100}"
