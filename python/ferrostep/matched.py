"""What comes once parameters are known, in their order: gradients, and arrays in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from typing import Any

import numpy as np

from ferrostep import tree
from ferrostep.params import (
    MIXED,
    Container,
    Parameters,
    adopted,
    check_distinct,
    is_groups,
    read_params,
)

#: How many names an error lists.
LISTED = 20
_UNNAMED = (
    "parameters must be a list, as this optimizer's have no names, found a dict or a tree; put "
    "them in one list"
)


def flatten(
    what: str, names: list[str] | None, likes: list[Any], values: Any, skip: bool
) -> list[Any]:
    """Return gradients (or parameters) in the order that the parameters were given in.

    They come in the trees of the groups (`likes`), or as one dict of all names; with `skip` there
    may be less than all, and None stands for the rest.
    """
    if names is None:
        if isinstance(values, Mapping):
            raise ValueError(
                f"{what} must be a list or tuple of arrays, since the parameters have no names, "
                f"found {type(values).__name__}"
            )
        number = isinstance(values, int | float | np.generic)
        if isinstance(values, Iterator | ValuesView):  # as parameters may come
            return list(values)
        one = number or isinstance(values, np.ndarray) or adopted(values) is not None
        return [values] if one else values
    whole = likes[0] if len(likes) == 1 else likes
    if whole == dict.fromkeys(names, 0) or _are_names(values, names, whole):
        return _by_names(what, names, values, skip)
    if len(likes) == 1:
        return tree.leaves_as(whole, values, what)
    if not isinstance(values, list | tuple) or len(values) != len(likes):
        raise ValueError(
            f"{what} must be a dict with the parameters' names {_listed(names)}, or a list of the "
            f"{len(likes)} groups' trees, found {tree.described(values)}"
        )
    groups = zip(likes, values, strict=True)
    return [leaf for like, value in groups for leaf in tree.leaves_as(like, value, what)]


def _are_names(values: Any, names: list[str], whole: Any) -> bool:
    """Whether this is a dict of names rather than another tree than the whole one."""
    if not isinstance(values, Mapping) or not isinstance(whole, Mapping):
        return isinstance(values, Mapping)
    return values.keys() == set(names) or any(n in values for n in set(names) - set(whole))


def read_again(params: Any, names: list[str] | None) -> tuple[list[Any], list[Container]]:
    """Return other arrays for all parameters, in their order, and the containers to watch."""
    if not is_groups(params):
        given = read_params(params)
        if given.names is None and names is not None:
            raise ValueError(
                f"parameters must be a dict with the names {names!r}, or a tree of them, "
                f"found {tree.described(params)}"
            )
        if given.names is not None and names is None:
            raise ValueError(_UNNAMED)
        if names is None or given.names is None:
            return given.arrays, list(given.containers)
        arrays = _by_names("parameters", names, dict(zip(given.names, given.arrays, strict=True)))
        place = {name: i for i, name in enumerate(names)}
        return arrays, given.numbered([place[name] for name in given.names])
    arrays, containers = [], []
    there: list[str] = []
    for group in params:
        given = read_params(group["params"])
        own = group.get("param_names", given.names) if given.names is None else given.names
        if own is not None and names is None:
            raise ValueError(_UNNAMED)
        start = len(arrays)
        arrays += given.arrays
        there += own or ()
        containers += given.numbered(range(start, len(arrays)))
    if names is None or not there:
        return arrays, containers
    if len(there) != len(arrays):
        raise ValueError(MIXED)
    check_distinct(there)
    place = {name: i for i, name in enumerate(names)}
    arrays = _by_names("parameters", names, dict(zip(there, arrays, strict=True)))
    return arrays, Parameters(there, arrays, None, containers).numbered(
        [place[name] for name in there]
    )


def _by_names(what: str, names: list[str], values: Any, skip: bool = False) -> list[Any]:
    if not isinstance(values, Mapping):
        raise _no_names(what, names, values)
    missing = [name for name in names if name not in values and not skip]
    unknown = [name for name in values if name not in names]
    if missing or unknown:
        advice = "all parameters come in each call; update_one() takes one, replace() exchanges one"
        if what == "gradients":
            advice = "None in place of a gradient skips a parameter"
            advice += ", and here so does a missing name" if skip else ', as does missing="skip"'
        raise ValueError(
            f"{what} have the names {_listed(list(values))}, wanted {_listed(names)} "
            f"(missing {_listed(missing)}, unknown {_listed(unknown)}); {advice}"
        )
    return [values.get(name) for name in names]


def _no_names(what: str, names: list[str], found: Any) -> ValueError:
    return ValueError(
        f"{what} must be a dict with the parameters' names {_listed(names)}, "
        f"found {type(found).__name__}"
    )


def _listed(names: list[Any]) -> str:
    """Return the names, or the first of them."""
    if len(names) <= LISTED:
        return repr(names)
    return f"{names[:LISTED]!r} and {len(names) - LISTED} more"
