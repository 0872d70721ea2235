"""What a param group may hold: options, and entries of the user's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ferrostep.params import check_distinct
from ferrostep.spellings import hint

#: What schedulers keep in a group beside its options.
SCHEDULED = {"initial_lr", "min_lr", "max_lr", "base_momentum", "max_momentum", "swa_lr"}
#: What a group holds beside its options and what is its user's.
EXTRA = {"params", "param_names", *SCHEDULED}


def private(key: str) -> bool:
    """Whether an entry is its user's alone: never read, and no part of state dicts and files."""
    return key.startswith("_")


def check_group(group: object, options: Collection[str], cls: str) -> None:
    """Refuse what cannot become a param group."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(f"a param group must be a dict with 'params', found {shown(group)}")
    check_keys(group, options, cls)


def shown(found: object) -> str:
    """Return what errors say of something that is to be a dict."""
    if isinstance(found, Mapping):
        return f"a dict of {list(found)!r:.200}"
    return f"{found!r:.200}"


def check_keys(group: Mapping[Any, Any], options: Collection[str], cls: str) -> None:
    """Refuse an entry that is neither an option nor the user's: a misspelt one would do nothing."""
    for key, value in group.items():
        if type(key) is not str:
            raise TypeError(f"a key of a param group must be a str, found {key!r}")
        if key == "name" and type(value) is not str:
            raise TypeError(f"the name of a param group must be a str, found {value!r}")
        if not (key in options or key in EXTRA or key == "name" or private(key)):
            raise ValueError(
                f"a param group of {cls} has no option {key!r}{hint(key, options)}; "
                "entries of your own are 'name' and keys that begin with '_'"
            )


def missing(name: str) -> ValueError:
    """Return the error about an option that was taken out of a group."""
    return ValueError(f"the param group has no {name!r}; set it, group[{name!r}] = ...")


def read_names(
    names: list[str] | None, group: Mapping[str, Any], count: int, known: Collection[str]
) -> list[str] | None:
    """Return the names of a group's `count` parameters, all different and none of them `known`.

    `names` came with the parameters themselves; None if they had none.
    """
    if "param_names" in group:
        given = group["param_names"]
        if not isinstance(given, list | tuple) or not all(isinstance(n, str) for n in given):
            raise TypeError(f"param_names must be a list of str, found {given!r}")
        if names is not None and list(given) != names:
            raise ValueError(
                f"param_names are {given!r}, wanted {names!r} as the parameters have them"
            )
        names = [str(name) for name in given]
        if len(names) != count:
            raise ValueError(
                f"found {len(names)} param_names, wanted {count}: one for each parameter"
            )
    check_distinct(names or [], known)
    return names
