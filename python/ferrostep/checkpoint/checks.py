"""Checks that the parts share: what was saved, and what is given to load into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

#: What a part is in the file: JSON, with its arrays beside it.
Content = Any
Named = list[tuple[Any, Any]]


def tensor_name(*keys: object) -> str:
    name = "/".join(map(str, keys))
    try:
        name.encode()
    except UnicodeEncodeError as error:
        message = f"a name must be valid Unicode, found {name!r}: {error.reason}"
        raise ValueError(message) from None
    return name


def names(given: Named, content: Content) -> tuple[list[Any], list[Any]]:
    """Those that were saved, and those to load into."""
    return [entry["name"] for entry in content], [name for name, _ in given]


def class_difference(saved: Content, wanted: str) -> str | None:
    """Say which other class the state in the file is of, if it is."""
    if saved["class"] == wanted:
        return None
    return f"the checkpoint has the state of {saved['class']!r:.80}, wanted {wanted!r}"


def matched(given: Named, content: Content) -> Iterator[tuple[Any, Any, Content]]:
    """The names that are in both, with what to load into and what was saved."""
    saved = {entry["name"]: entry for entry in content}
    return ((name, target, saved[name]) for name, target in given if name in saved)


def by_name(given: Any, what: str) -> Named:
    """Return a dict's objects with names that tensors' names may have; a single one with None."""
    found: Named = list(given.items()) if isinstance(given, dict) else [(None, given)]
    for name, _ in found:
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"the names of {what} must be str without '/', found {name!r}")
    return distinct(found, what)


def distinct(given: Named, what: str) -> Named:
    """Refuse an object that has two names: it cannot be loaded twice."""
    known: dict[int, Any] = {}
    for name, target in given:
        if id(target) in known:
            pair = f"{known[id(target)]!r} and {name!r}"
            raise ValueError(f"the {what} {pair} are the same object; give one of them")
        known[id(target)] = name
    return given


def only_keys(
    found: Any, wanted: set[str], what: str, optional: Set[str] = frozenset()
) -> dict[str, Any]:
    """Return a JSON object that has exactly these keys, and of the optional ones some."""
    if not isinstance(found, Mapping):
        raise ValueError(f"{what} must be an object, found {found!r:.80}")
    if set(found) - optional != wanted:
        raise ValueError(f"{what} has the keys {sorted(found)!r:.200}, wanted {sorted(wanted)}")
    return dict(found)


def objects(
    content: Content, keys: set[str], what: str, optional: Set[str] = frozenset()
) -> list[dict[str, Any]]:
    """Check a list of objects; those with names must differ in them."""
    if not isinstance(content, list):
        raise ValueError(f"{what} must be a list, found {content!r:.80}")
    found = [only_keys(entry, keys, f"an entry of {what}", optional) for entry in content]
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
