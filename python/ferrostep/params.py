"""Parameters and gradients in the structures that users keep them in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, ValuesView
from typing import Any, NamedTuple

import numpy as np

from ferrostep.backends import cuda

FLATTEN = (
    "flatten it first: a list, [a for layer in layers for a in layer], or one dict of names, "
    "{f'{layer}.{k}': a for layer, d in params.items() for k, a in d.items()}"
)
#: A plain list or dict of parameters, what it holds, and the position of the first.
Container = tuple[Any, list[Any], int]
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


def _refuse_foreign(array: Any, label: str) -> None:
    """Refuse what looks like an array and cannot be updated in place, with what to do about it."""
    kind = type(array)
    remedy = _REMEDIES.get(kind.__module__.partition(".")[0])
    if isinstance(array, int | float | np.generic):
        remedy = f"keep it as an array, p = np.array({array}, dtype=float), to be updated in place"
    elif isinstance(array, list | tuple | Mapping):
        raise TypeError(
            f"{label} must be an array, found a nested {kind.__name__}; {FLATTEN}; "
            "numbers go into an array, np.array(x, dtype=float)"
        )
    if remedy is not None:
        raise TypeError(f"{label} must be a NumPy or CuPy array, found {kind.__name__}; {remedy}")


def _parameter(array: Any, label: str) -> Any:
    """Return a parameter on a device as CuPy's, and anything else as it is."""
    taken = adopted(array)
    if taken is None:
        _refuse_foreign(array, label)
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
    #: The plain list or dict that they came in, and what it holds, to see when one is replaced.
    container: tuple[list[Any] | dict[str, Any], list[Any]] | None = None


def read_params(params: Any) -> Parameters:
    """Return what was given as parameters, by name or without."""
    if isinstance(params, np.ndarray) or adopted(params) is not None:
        return Parameters(None, [_parameter(params, "parameter 0")])
    if isinstance(params, bool | int | float | np.generic):
        raise TypeError(f"params must be arrays, found {params!r}; write lr={params!r} for a rate")
    if isinstance(params, str | bytes) or not isinstance(params, Iterable):
        raise TypeError(
            f"params must be an array, an iterable of arrays, a dict of names or param groups, "
            f"found {type(params).__name__}"
        )
    items = list(params.items()) if isinstance(params, Mapping) else list(params)
    pairs = [isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in items]
    if isinstance(params, Mapping) and not all(pairs):
        raise ValueError(f"parameter names must be str, found {list(params)!r}")
    if any(pairs) and not all(pairs):
        raise ValueError(MIXED)
    if isinstance(params, Mapping):
        for name, array in items:
            if params[name] is not array:
                raise ValueError(
                    f"this {type(params).__name__} makes a new array each time {name!r} is asked "
                    f"for, so an update would be lost; pass a dict of arrays that you keep: "
                    f"params = dict(params)"
                )
    # As plain str: a subclass may have an __eq__ of its own.
    names = [str.__str__(name) for name, _ in items] if items and all(pairs) else None
    arrays = [array for _, array in items] if names is not None else items
    check_distinct(names or [])
    named = labels(names, 0, len(arrays))
    arrays = [_parameter(array, label) for array, label in zip(arrays, named, strict=True)]
    if type(params) is dict:
        return Parameters(names, arrays, (params, list(params.values())))
    return Parameters(names, arrays, (params, items) if type(params) is list else None)


def check_distinct(names: list[str], known: Collection[str] = ()) -> None:
    """Refuse a name that stands twice among these, or once more beside the known ones."""
    taken = set(known)
    for name in names:
        if name in taken:
            raise ValueError(f"parameter names must differ, found {name!r} twice")
        taken.add(name)


def is_groups(params: Any) -> bool:
    """Whether this is a list of param groups."""
    return isinstance(params, list | tuple) and bool(params) and isinstance(params[0], Mapping)


def labels(names: list[str] | None, start: int, count: int) -> list[str]:
    """Return what errors call the parameters."""
    if names is not None:
        return [f"parameter {name!r}" for name in names]
    return [f"parameter {start + i}" for i in range(count)]


def flatten(what: str, names: list[str] | None, values: Any) -> list[Any]:
    """Return gradients (or parameters) in the order that the parameters were given in."""
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
    if not isinstance(values, Mapping):
        raise _no_names(what, names, values)
    missing = [name for name in names if name not in values]
    unknown = [name for name in values if name not in names]
    if missing or unknown:
        advice = (
            "None in place of a gradient skips a parameter"
            if what == "gradients"
            else "all parameters come in each call, or each layer has an optimizer of its own"
        )
        raise ValueError(
            f"{what} have the names {_listed(list(values))}, wanted {_listed(names)} "
            f"(missing {_listed(missing)}, unknown {_listed(unknown)}); {advice}"
        )
    return [values[name] for name in names]


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


def read_again(params: Any, names: list[str] | None) -> tuple[list[Any], list[Container]]:
    """Return other arrays for all parameters, in their order, and the containers to watch."""
    groups = [group["params"] for group in params] if is_groups(params) else [params]
    given = [read_params(group) for group in groups]
    named = [one.names is not None for one in given]
    arrays = [array for one in given for array in one.arrays]
    if any(named) and names is None:
        found = [name for one in given for name in one.names or ()]
        raise ValueError(
            f"parameters have the names {_listed(found)}, wanted none as this optimizer's; "
            "give them in a list"
        )
    if names is not None and len(given) == 1:
        if not all(named):
            raise _no_names("parameters", names, groups[0])
        by_name = dict(zip(given[0].names or (), arrays, strict=True))
        arrays = flatten("parameters", names, by_name)
    containers, start = [], 0
    for one, group in zip(given, groups, strict=True):
        if one.container is not None:
            object_, entries = one.container
            if isinstance(group, dict) and len(given) == 1 and names is not None:
                entries = [group[name] for name in names]
            containers.append((object_, entries, start))
        start += len(one.arrays)
    return arrays, containers
