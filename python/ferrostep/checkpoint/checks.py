"""Checks that the parts share: what was saved, and what is given to load into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: What a part is in the file: JSON, with its arrays beside it.
Content = Any
Named = list[tuple[Any, Any]]


def tensor_name(*keys: object) -> str:
    name = "/".join(map(str, keys))
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the name {name!r} is no valid Unicode: {error.reason}") from None
    return name


def matched(given: Named, content: Content, what: str) -> Iterator[tuple[Any, Content]]:
    """Pair what to load into with what was saved, by name."""
    saved = {entry["name"]: entry for entry in content}
    if set(saved) != {name for name, _ in given}:
        names = [name for name, _ in given]
        raise ValueError(f"the checkpoint has the {what} {list(saved)!r}, wanted {names!r}")
    for name, target in given:
        if type(target).__name__ != saved[name]["class"]:
            raise ValueError(
                f"the checkpoint has the state of {saved[name]['class']!r:.80}, "
                f"wanted {type(target).__name__!r}"
            )
        yield target, saved[name]


def only_keys(found: Any, wanted: set[str], what: str) -> dict[str, Any]:
    """Return a JSON object that has exactly these keys."""
    if not isinstance(found, Mapping):
        raise ValueError(f"{what} must be an object, found {found!r:.80}")
    if set(found) != wanted:
        missing, unknown = sorted(wanted - set(found)), sorted(set(found) - wanted)
        raise ValueError(f"{what} lacks {missing}, and has the unknown keys {unknown}")
    return dict(found)


def objects(content: Content, keys: set[str], what: str) -> list[dict[str, Any]]:
    """Check a list of objects; those with names must differ in them."""
    if not isinstance(content, list):
        raise ValueError(f"{what} must be a list, found {content!r:.80}")
    found = [only_keys(entry, keys, f"an entry of {what}") for entry in content]
    if "name" in keys:
        names = [entry["name"] for entry in found]
        if names != [None]:
            read_keys(names, f"the names of {what}")
    return found


def read_keys(found: Any, what: str) -> list[Any]:
    """Check names or positions: all of one type, and different."""
    if isinstance(found, list):
        kinds = {type(key) for key in found}
        if (kinds <= {str} or kinds == {int}) and len(set(found)) == len(found):
            return found
    raise ValueError(f"{what} must be different names or positions, found {found!r:.80}")
