"""Trees: lists, tuples, namedtuples and dicts in each other, as models keep their arrays.

A place has a name, such as ``layers.1.W``: the keys, fields and numbers that lead to it. A key
with a dot in it is quoted, unless the whole tree is one dict. None is a place without an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ferrostep._native import Rows

__all__ = ["flatten", "map", "unflatten"]

#: How deep containers may lie in each other; one that holds itself ends here.
MAX_DEPTH = 100
#: What has places of its own.
CONTAINERS = (list, tuple, Mapping)


class Place(NamedTuple):
    """A place in a container: what leads to it from there and from the top, and what is there."""

    key: str
    name: str
    value: Any


def flatten(tree: Any) -> dict[str, Any]:
    """Return the arrays of a tree by name.

    Parameters
    ----------
    tree
        Lists, tuples, namedtuples and dicts (of str) in each other, to a depth of 100. Arrays
        (what has ``__array__`` or an array interface), `Rows` and numbers are leaves, None is
        left out.

    Returns
    -------
    dict
        The very arrays, in the order of the tree. A single array has the name "".

    Raises
    ------
    ValueError
        If a key is no str, or two places have one name.
    TypeError
        If something is neither a container nor an array.

    Examples
    --------
    >>> import ferrostep as fs
    >>> fs.tree.flatten({"layers": [{"W": 1.0, "b": None}, {"W": 2.0, "b": 3.0}], "v.0": 4.0})
    {'layers.0.W': 1.0, 'layers.1.W': 2.0, 'layers.1.b': 3.0, "'v.0'": 4.0}
    """
    found = _leaves(tree)
    for name, leaf in found.items():
        if not _is_array(leaf):
            raise TypeError(
                f"the leaves of a tree must be arrays, found {described(leaf)} at {name!r}; "
                "make a list or a dict of what it holds"
            )
    return found


def unflatten(like: Any, arrays: Mapping[str, Any]) -> Any:
    """Return a tree like another with the arrays of these names: the opposite of `flatten`.

    Parameters
    ----------
    like
        A tree as for `flatten`; of its leaves only the names count. None stays None.
    arrays
        What `flatten` returned: one entry for each leaf, in any order.

    Returns
    -------
    object
        New lists, tuples, namedtuples and dicts (any mapping becomes a dict) of the same arrays.

    Raises
    ------
    ValueError
        If the names are not those of the leaves, or two leaves have one name.

    Examples
    --------
    >>> import ferrostep as fs
    >>> params = {"layers": [{"W": 1.0, "b": None}, {"W": 2.0, "b": 3.0}]}
    >>> halves = {name: value / 2 for name, value in fs.tree.flatten(params).items()}
    >>> fs.tree.unflatten(params, halves)
    {'layers': [{'W': 0.5, 'b': None}, {'W': 1.0, 'b': 1.5}]}
    """
    names = _leaves(like)
    missing = [name for name in names if name not in arrays]
    unexpected = [name for name in arrays if name not in names]
    if missing or unexpected:
        raise ValueError(
            f"arrays have the names {list(arrays)!r}, wanted {list(names)!r} as the tree's leaves "
            f"(missing {missing!r}, unknown {unexpected!r})"
        )
    leaves = iter([arrays[name] for name in names])
    return map(lambda _: next(leaves), like)


def map(
    function: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Return the same tree with other leaves: what `function` makes of them, in order.

    Parameters
    ----------
    function
        Called with each leaf; not with None, which stays None.
    tree
        A tree as for `flatten`, with leaves of any type.
    is_leaf
        None, or says of a container whether it is a leaf too.

    Returns
    -------
    object
        New lists, tuples, namedtuples and dicts (any mapping becomes a dict).

    Raises
    ------
    ValueError
        If the tree is deeper than 100: it may hold itself.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> fs.tree.map(np.zeros_like, [np.ones(2), {"b": np.ones(1), "none": None}])
    [array([0., 0.]), {'b': array([0.]), 'none': None}]
    """
    return _mapped(function, tree, is_leaf, 0)


def _leaves(tree: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, leaf, held in walk(tree):
        if held is None and leaf is not None:
            if name in found:
                raise ValueError(f"two places of the tree have the name {name!r}; rename a key")
            found[name] = leaf
    return found


def _mapped(
    function: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None, depth: int
) -> Any:
    if tree is None:
        return None
    if not isinstance(tree, CONTAINERS) or (is_leaf is not None and is_leaf(tree)):
        return function(tree)
    _check_depth(depth, tree)
    if isinstance(tree, Mapping):
        pairs = tree.items()
        return {key: _mapped(function, value, is_leaf, depth + 1) for key, value in pairs}
    items = [_mapped(function, item, is_leaf, depth + 1) for item in tree]
    if hasattr(tree, "_fields"):
        return type(tree)(*items)
    return items if isinstance(tree, list) else tuple(items)


def walk(
    node: Any, name: str | None = None, depth: int = 0
) -> Iterator[tuple[str, Any, list[Place] | None]]:
    """Yield every place, a container before what it holds: its name, what is there and within."""
    if not isinstance(node, CONTAINERS):
        yield name or "", node, None
        return
    _check_depth(depth, node)
    places = places_in(node, name)
    yield name or "", node, places
    for place in places:
        yield from walk(place.value, place.name, depth + 1)


def leaves_as(like: Any, tree: Any, what: str, name: str | None = None) -> list[Any]:
    """Return what a tree has where `like` has a leaf, and refuse another tree.

    A list may be a tuple. The error says `what` differs, and where first.
    """
    container = isinstance(like, CONTAINERS)
    if (
        container != isinstance(tree, CONTAINERS)
        or isinstance(like, Mapping) != isinstance(tree, Mapping)
        or (like is None and tree is not None)
    ):
        raise _differs(what, name, described(tree), _wanted(like))
    if not container:
        return [] if like is None else [tree]
    there = {place.key: place for place in places_in(tree, name)}
    leaves: list[Any] = []
    for place in places_in(like, name):
        if place.key not in there:
            raise _differs(what, place.name, "nothing", _wanted(place.value))
        leaves += leaves_as(place.value, there.pop(place.key).value, what, place.name)
    for place in there.values():
        raise _differs(what, place.name, described(place.value), "nothing")
    return leaves


def places_in(container: Any, name: str | None) -> list[Place]:
    """Return the places in a container of this name; that of the whole tree has none."""
    if isinstance(container, Mapping):
        for key in container:
            if not isinstance(key, str):
                where = f" in the {type(container).__name__} at {name!r}" if name else ""
                raise ValueError(f"parameter names must be str, found {key!r}{where}")
        # As plain str: a subclass may have an __eq__ of its own.
        keys = [str.__str__(key) for key in container]
        values = list(container.values())
    else:
        keys = list(getattr(container, "_fields", None) or [str(i) for i in range(len(container))])
        values = list(container)
    if name is not None:
        names = [f"{name}.{_quoted(key)}" for key in keys]
    elif any(isinstance(value, CONTAINERS) for value in values):
        names = [_quoted(key) for key in keys]
    else:
        names = keys
    return [Place(*place) for place in zip(keys, names, values, strict=True)]


def described(value: Any) -> str:
    """Return what errors call what they found."""
    if value is None:
        return "None"
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in "aeiou" or kind == "ndarray" else "a"
    if isinstance(value, Mapping):
        return f"{article} {kind} of {', '.join(repr(key) for key in list(value)[:8])}"
    return f"{article} {kind}" + (f" of {len(value)}" if isinstance(value, list | tuple) else "")


def _wanted(like: Any) -> str:
    return described(like) if like is None or isinstance(like, CONTAINERS) else "an array"


def _differs(what: str, name: str | None, found: str, wanted: str) -> ValueError:
    where = "at the top" if name is None else f"at {name!r}"
    return ValueError(
        f"{what} have {found} {where}, wanted {wanted} as the tree of the parameters has"
    )


def _quoted(key: str) -> str:
    return repr(key) if "." in key else key


def _check_depth(depth: int, node: Any) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(
            f"a {type(node).__name__} lies in {MAX_DEPTH} others, deeper than a tree may be; "
            "does it hold itself?"
        )


def _is_array(value: Any) -> bool:
    interfaces = ("__array__", "__array_interface__", "__cuda_array_interface__")
    return isinstance(value, int | float | complex | Rows) or any(
        hasattr(type(value), interface) for interface in interfaces
    )
