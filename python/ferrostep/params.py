"""Parameters in the structures that users keep them in."""

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
