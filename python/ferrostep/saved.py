"""What is read of a state dict: its layout, and each of its parts, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrostep.backends import cuda
from ferrostep.groups import EXTRA, SCHEDULED, private, shown
from ferrostep.options import finite
from ferrostep.schema import Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: torch's options about its own implementation, which mean nothing here.
DROPPED = {"foreach", "fused", "capturable", "differentiable"}

#: The highest count that is loaded: steps are counted no further.
LOADED = 2**62

Groups = list[dict[str, Any]]

#: What stands around an optimizer has an entry each in its state dict, the outermost first.
WRAPPERS = "wrappers"


def check_layout(saved: object) -> None:
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
        raise ValueError(
            f"a state_dict must be a dict with 'state' and 'param_groups', found {shown(saved)}"
        )
    if not isinstance(saved["state"], Mapping) or not isinstance(saved["param_groups"], list):
        found = (type(saved[name]).__name__ for name in ("state", "param_groups"))
        raise ValueError(
            "a state_dict's 'state' must be a dict, its 'param_groups' a list of dicts, "
            f"found {' and '.join(found)}"
        )
    for entry in saved["state"].values():
        if not isinstance(entry, Mapping):
            raise ValueError(
                f"each entry of a state_dict's 'state' must be a dict, found {type(entry).__name__}"
            )
    for group in saved["param_groups"]:
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list):
            raise ValueError(
                "each of a state_dict's param_groups must be a dict with a list of 'params', "
                f"found {shown(group)}"
            )
        if not all(isinstance(key, int) for key in group["params"]):
            raise ValueError(
                f"a state_dict's 'params' must be whole numbers, found {group['params']!r}"
            )
        names = group.get("param_names")
        if names is not None and not isinstance(names, list):
            raise ValueError(f"a state_dict's 'param_names' must be a list, found {names!r}")
        if names is not None and not all(isinstance(name, str) for name in names):
            raise ValueError(f"a state_dict's 'param_names' must be str, found {names!r}")


def wrappers_in(saved: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a state dict has of wrappers; nothing where it has none."""
    found = saved.get(WRAPPERS, [])
    if not isinstance(found, list) or not all(isinstance(own, Mapping) for own in found):
        raise ValueError(
            f"a state_dict's {WRAPPERS!r} must be a list of dicts, found {found!r:.200}"
        )
    return found


def unwrapped(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state dict of what the outermost wrapper is around."""
    rest = wrappers_in(saved)[1:]
    inner = {key: value for key, value in saved.items() if key != WRAPPERS}
    return {**inner, WRAPPERS: rest} if rest else inner


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Return the same lists and dicts with what `function` makes of the arrays in them."""
    if isinstance(value, dict):
        return {key: mapped(function, item) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(function, item) for item in value]
    return function(value) if hasattr(value, "dtype") else value


def read_options(
    schema: Schema, i: int, mine: dict[str, Any], group: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options that a group of a state dict has, checked with the rest from `mine`."""
    left_out = {"params", "param_names", *DROPPED}
    loaded = {
        name: value
        for name, value in group.items()
        if name not in left_out and not (isinstance(name, str) and private(name))
    }
    unknown = set(loaded) - {*schema.checks, *EXTRA, "name"}
    if unknown:
        raise ValueError(
            f"group {i} of the state dict has unknown options {sorted(unknown, key=repr)!r}, "
            f"wanted those of {schema.name}"
        )
    checked = schema.read({**mine, **loaded})
    decoupled = checked["decoupled_weight_decay"]
    if decoupled != mine.get("decoupled_weight_decay", decoupled):
        raise ValueError(
            f"group {i} of the state dict has decoupled_weight_decay={decoupled!r}, wanted "
            f"{mine['decoupled_weight_decay']!r} as this {schema.name} has it"
        )
    scheduled = {name: finite(name, loaded[name]) for name in SCHEDULED & set(loaded)}
    return {name: {**loaded, **checked, **scheduled}[name] for name in loaded}


def skipped_steps(saved: Mapping[str, Any]) -> int:
    return whole(saved.get("skipped_steps", 0), "the state dict's skipped_steps", LOADED)


def whole(value: Any, what: str, most: int = 2**63 - 1) -> int:
    """A count as torch or we keep it: a whole number in any numeric type."""
    count = _one(value)
    if count is not None and 0 <= count <= most and count == int(count):
        return int(count)
    raise ValueError(f"{what} must be a whole number from 0 to {most}, found {value!r:.200}")


def number(value: Any, what: str) -> float:
    """A number of the memory as torch or we keep it: in any floating type."""
    found = _one(value)
    if found is not None:
        return float(found)
    raise ValueError(f"{what} must be a number, found {value!r:.200}")


def check_numbers(numbers: Mapping[str, float], arrays: Iterable[Any], label: str) -> None:
    """Refuse a NaN that did not come with a gradient: it would have come to the arrays too.

    Arrays without elements cannot show it.
    """
    known = [array for array in arrays if array.size]
    for name, value in numbers.items():
        if known and np.isnan(value) and not any(np.isnan(array).any() for array in known):
            raise ValueError(f"{name!r} of {label} must be a number, found {value!r}")


def _one(value: Any) -> int | float | None:
    """The one number that there is, in any numeric type."""
    try:
        found = cuda.to_host(value)
    except ValueError:  # lists that are no array
        return None
    if found.size != 1 or not (found.dtype.kind in "iuf" or found.dtype.name == "bfloat16"):
        return None
    only: int | float = found.reshape(()).item()
    return only


def lacks(schema: Schema, label: str, names: list[str]) -> str:
    words = ", ".join(map(repr, names))
    return f"the state of {label} lacks {words}, without which {schema.name} cannot go on"


def arrays_in(schema: Schema, entry: Mapping[str, Any]) -> dict[str, Any]:
    others = {"step", *schema.memory}
    return {n: value for n, value in entry.items() if n not in others and value is not None}


def memory_in(schema: Schema, entry: Mapping[str, Any], label: str) -> dict[str, float]:
    return {n: number(entry[n], f"{n!r} of {label}") for n in schema.memory if n in entry}


def values_of(
    schema: Schema, entry: Mapping[str, Any], param: Any, label: str
) -> dict[str, NDArray[Any]]:
    """Return the arrays of one parameter's state, each in the type that is to hold it."""
    values = {}
    for name, array in arrays_in(schema, entry).items():
        found = cuda.to_host(array)
        # What the parameter may have as state keeps its type.
        dtype = found.dtype
        if not goes_with(dtype.name, param):
            dtype = np.dtype(np.float64 if param.dtype.itemsize == 8 else np.float32)
        with np.errstate(over="ignore"):
            value = found.astype(dtype.newbyteorder("="), copy=False)
        if dtype != found.dtype and not np.array_equal(
            value.astype(found.dtype), found, equal_nan=True
        ):
            raise ValueError(
                f"state {name!r} of {label} must have values that {dtype} can hold, "
                f"found {found.dtype} ones that it cannot"
            )
        values[name] = value
    return values


def goes_with(state_dtype: str, param: Any) -> bool:
    """Whether a parameter may have state of this type: float64 goes with float64 alone."""
    return bool((state_dtype == "float64") == (param.dtype.itemsize == 8))
