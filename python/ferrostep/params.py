"""Parameters and gradients in the structures that users keep them in."""

from __future__ import annotations

from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from typing import Any, NamedTuple

import numpy as np

from ferrostep import tree
from ferrostep.backends import cuda

#: A plain list or dict that holds parameters, to be watched: the object, the keys of what it
#: holds (None of a list), that, and what each is: a parameter's number or another thing's name.
Container = tuple[Any, list[str] | None, list[Any], list[int | str]]
MIXED = "named and unnamed parameters cannot be mixed; name all of an optimizer's or none"
#: How many names an error lists.
LISTED = 20


def adopted(array: Any) -> Any:
    """Return an array whose memory is on a device as CuPy's, anything else as None."""
    return cuda.adopt(array) if hasattr(type(array), "__cuda_array_interface__") else None


#: What to do with an array of another library, by the first part of its module.
_REMEDIES = {
    "torch": "pass t.detach().numpy(), which shares its memory, and keep that array",
    "jax": "JAX arrays are immutable: keep the parameter as np.array(x), and update that",
    "tensorflow": "TensorFlow's arrays cannot be shared: keep the parameter as np.array(x)",
}
_REMEDIES["jaxlib"] = _REMEDIES["jax"]


def _refuse_foreign(array: Any, label: str, note: str) -> None:
    """Refuse what looks like an array and cannot be updated in place, with what to do about it."""
    kind = type(array)
    remedy = _REMEDIES.get(kind.__module__.partition(".")[0])
    if isinstance(array, int | float | np.generic):
        remedy = f"keep it as an array, p = np.array({array}, dtype=float), to be updated in place"
    elif isinstance(array, Set | Iterator | ValuesView):
        remedy = "only lists, tuples and dicts can be in each other, so write list(...)"
    if remedy is not None:
        raise TypeError(
            f"{label} must be a NumPy or CuPy array, found {kind.__name__}; {remedy}{note}"
        )


def read_parameter(array: Any, label: str, note: str = "") -> Any:
    """Return a parameter on a device as CuPy's, and anything else as it is."""
    taken = adopted(array)
    if taken is None:
        _refuse_foreign(array, label, note)
        return array
    if cuda.is_readonly(array):
        raise ValueError(
            f"{label} is read-only, wanted writable to be updated in place; give a writable copy"
        )
    return taken


class Parameters(NamedTuple):
    """What was given as parameters."""

    names: list[str] | None
    arrays: list[Any]
    #: The tree that they came in, of plain containers; None where they have no names.
    like: Any = None
    containers: Sequence[Container] = ()

    def numbered(self, numbers: Sequence[int]) -> list[Container]:
        """Return the containers, with these as the numbers of the parameters."""
        return [
            (object_, keys, held, [numbers[i] if isinstance(i, int) else i for i in which])
            for object_, keys, held, which in self.containers
        ]


def read_params(params: Any) -> Parameters:
    """Return what was given as parameters, by name or without."""
    if isinstance(params, np.ndarray) or adopted(params) is not None:
        return Parameters(None, [read_parameter(params, "parameter 0")])
    if isinstance(params, bool | int | float | np.generic):
        raise TypeError(f"params must be arrays, found {params!r}; write lr={params!r} for a rate")
    if isinstance(params, str | bytes) or not isinstance(params, Iterable):
        raise TypeError(
            f"params must be an array, an iterable of arrays, a dict of names, a tree of these or "
            f"param groups, found {type(params).__name__}"
        )
    root = params if isinstance(params, tree.CONTAINERS) else list(params)
    if not isinstance(root, Mapping):
        pairs = [isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in root]
        if any(pairs):
            if not all(pairs):
                raise ValueError(MIXED)
            return _read_pairs(root)
    return _read_tree(root)


def read_some(params: Any) -> Parameters:
    """Return what was given as parameters, of which there must be some."""
    given = read_params(params)
    if not given.arrays:
        raise ValueError("optimizer got an empty parameter list")
    return given


def _read_pairs(pairs: Any) -> Parameters:
    """Return parameters that came as torch's `named_parameters`."""
    names = [str.__str__(name) for name, _ in pairs]
    check_distinct(names)
    named = labels(names, 0, len(names))
    arrays = [read_parameter(array, label) for (_, array), label in zip(pairs, named, strict=True)]
    numbers: list[int | str] = list(range(len(names)))
    containers: list[Container] = [(pairs, None, list(pairs), numbers)]
    like = dict.fromkeys(names, 0)
    return Parameters(names, arrays, like, containers if type(pairs) is list else [])


def _read_tree(root: Any) -> Parameters:
    places = list(tree.walk(root))
    found = [(name, leaf) for name, leaf, held in places if held is None and leaf is not None]
    names = [name for name, _ in found]
    check_distinct(names)
    numbers = {name: i for i, name in enumerate(names)}
    containers: list[Container] = []
    for name, container, held in places:
        if held is None:
            continue
        if isinstance(container, Mapping):
            _check_kept(container, name)
        if type(container) in (list, dict):
            keys = [place.key for place in held] if type(container) is dict else None
            values = [place.value for place in held]
            which = [
                place.name
                if place.value is None or isinstance(place.value, tree.CONTAINERS)
                else numbers[place.name]
                for place in held
            ]
            containers.append((container, keys, values, which))
    # Nothing but arrays in one list or tuple: those have numbers.
    flat = not any(item is None or isinstance(item, tree.CONTAINERS) for item in root)
    numbered = flat and not isinstance(root, Mapping) and not hasattr(root, "_fields")
    named = labels(None if numbered else names, 0, len(names))
    dicts = isinstance(root, list | tuple) and bool(root) and isinstance(root[0], Mapping)
    note = "; dicts in a list are param groups if the first has 'params'" if dicts else ""
    arrays = [
        read_parameter(leaf, label, note) for (_, leaf), label in zip(found, named, strict=True)
    ]
    if numbered:
        return Parameters(None, arrays, None, containers)
    return Parameters(names, arrays, tree.map(lambda _: 0, root), containers)


def _check_kept(mapping: Mapping[str, Any], name: str) -> None:
    """Refuse a mapping that makes what it holds, such as a file."""
    if type(mapping) is dict:
        return
    for key, value in mapping.items():
        if mapping[key] is not value:
            where = f" at {name!r}" if name else ""
            raise ValueError(
                f"this {type(mapping).__name__}{where} makes a new array each time {key!r} is "
                f"asked for, so an update would be lost; pass a dict of arrays that you keep: "
                f"params = dict(params)"
            )


def check_distinct(names: list[str], known: Collection[str] = ()) -> None:
    """Refuse a name that stands twice among these, or once more beside the known ones."""
    taken = set(known)
    for name in names:
        if name in taken:
            raise ValueError(f"parameter names must differ, found {name!r} twice")
        taken.add(name)


def is_groups(params: Any) -> bool:
    """Whether this is a list of param groups; another list of dicts is a tree."""
    first = params[0] if isinstance(params, list | tuple) and params else None
    return isinstance(first, Mapping) and "params" in first


def labels(names: list[str] | None, start: int, count: int) -> list[str]:
    """Return what errors call the parameters."""
    if names is not None:
        return [f"parameter {name!r}" for name in names]
    return [f"parameter {start + i}" for i in range(count)]


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


_UNNAMED = (
    "parameters must be a list, as this optimizer's have no names, found a dict or a tree; put "
    "them in one list"
)


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
