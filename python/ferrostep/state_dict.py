"""``state_dict`` in torch's layout: made, and read with everything checked first."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferrostep._native import Core
from ferrostep.backends import cuda
from ferrostep.groups import EXTRA, SCHEDULED, private
from ferrostep.options import STATE_DTYPES, finite, stored_dtype

if TYPE_CHECKING:
    from ferrostep.optimizer import Optimizer

#: torch's options about its own implementation, which mean nothing here.
DROPPED = {"foreach", "fused", "capturable", "differentiable"}

Groups = list[dict[str, Any]]


def make(core: Core, groups: Groups, names: list[str] | None) -> dict[str, Any]:
    """Return the state dict; its arrays are the live ones."""
    count = len(core._parameters())
    states = {i: state for i in range(count) if (state := core._state(i)) is not None}
    packed, start = [], 0
    for size, group in zip(core._group_sizes() or [0], groups, strict=True):
        saved = {
            name: value
            for name, value in group.items()
            if name not in EXTRA - SCHEDULED and not private(name)
        }
        saved["params"] = list(range(start, start + size))
        if names is not None:
            saved["param_names"] = names[start : start + size]
        packed.append(saved)
        start += size
    return {"state": states, "param_groups": packed, "skipped_steps": core._skipped}


def check_layout(saved: object) -> None:
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
        raise ValueError("a state_dict must be a dict with 'state' and 'param_groups'")
    if not isinstance(saved["state"], Mapping) or not isinstance(saved["param_groups"], list):
        raise ValueError(
            "a state_dict's 'state' must be a dict, its 'param_groups' a list of dicts"
        )
    for entry in saved["state"].values():
        if not isinstance(entry, Mapping):
            raise ValueError(
                f"each entry of a state_dict's 'state' must be a dict, found {type(entry).__name__}"
            )
    for group in saved["param_groups"]:
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list):
            raise ValueError("each of a state_dict's param_groups must be a dict with 'params'")
        if not all(isinstance(key, int) for key in group["params"]):
            raise ValueError(
                f"a state_dict's 'params' must be whole numbers, found {group['params']!r}"
            )
        names = group.get("param_names")
        if names is not None and not isinstance(names, list):
            raise ValueError(f"a state_dict's 'param_names' must be a list, found {names!r}")


def snapshot(saved: Mapping[str, Any], cls: type[Optimizer], groups: Groups) -> dict[str, Any]:
    """Return a copy for an optimizer whose parameters are not known yet, checked as far as can be.

    What hangs on the parameters is checked when they come.
    """
    check_layout(saved)
    if len(saved["param_groups"]) != len(groups):
        found = len(saved["param_groups"])
        raise ValueError(f"loaded state dict has {found} groups, wanted {len(groups)}")
    for i, (mine, group) in enumerate(zip(groups, saved["param_groups"], strict=True)):
        read_options(cls, i, mine, group)
    whole(saved.get("skipped_steps", 0), "the state dict's skipped_steps")
    state = {key: copy.deepcopy(dict(entry)) for key, entry in saved["state"].items()}
    return {**copy.deepcopy({k: v for k, v in saved.items() if k != "state"}), "state": state}


def read(
    saved: Mapping[str, Any],
    cls: type[Optimizer],
    core: Core,
    groups: Groups,
    names: list[str] | None,
) -> tuple[Groups, list[int | None], list[dict[str, Any] | None], int]:
    """Return options by group, step counts and arrays by parameter, and the skipped steps."""
    sizes = core._group_sizes()
    check_layout(saved)
    theirs = saved["param_groups"]
    if len(theirs) != len(groups):
        raise ValueError(f"loaded state dict has {len(theirs)} groups, wanted {len(groups)}")
    params = core._parameters()
    options = []
    for i, (mine, group, wanted) in enumerate(zip(groups, theirs, sizes, strict=True)):
        if len(group["params"]) != wanted:
            raise ValueError(
                f"group {i} of the state dict has {len(group['params'])} parameters, "
                f"wanted {wanted}"
            )
        options.append(read_options(cls, i, mine, group))
    keys = [key for group in theirs for key in group["params"]]
    found_names = [name for group in theirs for name in group.get("param_names") or ()]
    if names is not None and found_names and found_names != names:
        raise ValueError(f"the state dict has the parameters {found_names!r}, wanted {names!r}")
    if len(set(keys)) != len(keys):
        raise ValueError(f"the state dict has a parameter twice: {keys!r}")
    unknown = set(saved["state"]) - set(keys)
    if unknown:
        found = sorted(unknown, key=repr)
        raise ValueError(f"the state dict has state of unknown parameters: {found!r}")
    dtypes = [
        stored_dtype("state_dtype", {**mine, **loaded}["state_dtype"])
        for mine, loaded, group in zip(groups, options, theirs, strict=True)
        for _ in group["params"]
    ]
    steps: list[int | None] = []
    arrays: list[dict[str, Any] | None] = []
    for i, (key, param) in enumerate(zip(keys, params, strict=True)):
        label = f"parameter {names[i]!r}" if names is not None else f"parameter {i}"
        entry = saved["state"].get(key)
        dtype = dtypes[i]
        if dtype is not None and param is not None and not _goes_with(dtype, param):
            raise ValueError(
                f"the state dict's state_dtype {dtype!r} does not go with {label} of dtype "
                f"{param.dtype}: state is float64 beside float64, and float16, bfloat16 or "
                f"float32 beside what is narrower"
            )
        if entry is None:
            steps.append(None)
            arrays.append(None)
            continue
        if param is None:
            raise ValueError(f"{label} is no longer alive; load after the next update")
        steps.append(whole(entry.get("step", 0), f"the step of {label}"))
        values = _values(cls, entry, param, label)
        made = core._new_states(i, [(name, value.dtype.name) for name, value in values.items()])
        for array, value in zip(made, values.values(), strict=True):
            cuda.assign(array, value)
        arrays.append(dict(zip(values, made, strict=True)))
    skipped = whole(saved.get("skipped_steps", 0), "the state dict's skipped_steps")
    return options, steps, arrays, skipped


def read_options(
    cls: type[Optimizer], i: int, mine: dict[str, Any], group: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options that a group of a state dict has, checked with the rest from `mine`."""
    left_out = {"params", "param_names", *DROPPED}
    loaded = {
        name: value
        for name, value in group.items()
        if name not in left_out and not (isinstance(name, str) and private(name))
    }
    unknown = set(loaded) - {*cls.CHECKS, *EXTRA, "name"}
    if unknown:
        raise ValueError(
            f"group {i} of the state dict has unknown options: {sorted(unknown, key=repr)!r}"
        )
    checked = cls._read_options({**mine, **loaded})
    decoupled = checked["decoupled_weight_decay"]
    if decoupled != mine.get("decoupled_weight_decay", decoupled):
        raise ValueError(
            f"group {i} of the state dict has decoupled_weight_decay={decoupled!r}, "
            f"this {cls.__name__} has {mine['decoupled_weight_decay']!r}"
        )
    scheduled = {name: finite(name, loaded[name]) for name in SCHEDULED & set(loaded)}
    return {name: {**loaded, **checked, **scheduled}[name] for name in loaded}


def whole(value: Any, what: str) -> int:
    """A count as torch or we keep it: a whole number in any numeric type."""
    found = cuda.to_host(value)
    if found.size == 1 and found.dtype.kind in "iuf":
        count = found.reshape(()).item()
        if 0 <= count < 2**63 and count == int(count):
            return int(count)
    raise ValueError(f"{what} must be a whole number from 0 to 2**63 - 1, found {value!r}")


def _values(cls: type[Optimizer], entry: Any, param: Any, label: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of one parameter's state, each in the type that is to hold it."""
    given = {name: v for name, v in entry.items() if name != "step" and v is not None}
    unknown = set(given) - {*cls.STATE, *cls.OPTIONAL_STATE}
    if unknown:
        raise ValueError(f"the state of {label} has unknown arrays: {sorted(unknown, key=repr)!r}")
    missing = set(cls.STATE) - set(given)
    if missing:
        raise ValueError(f"the state of {label} lacks {sorted(missing)!r}")
    values = {}
    for name, array in given.items():
        found = cuda.to_host(array)
        if found.shape != param.shape:
            raise ValueError(
                f"state {name!r} of {label} has shape {found.shape}, not {param.shape}"
            )
        if found.dtype.name not in STATE_DTYPES:
            raise ValueError(f"state {name!r} of {label} has dtype {found.dtype}, wanted a float")
        # What the parameter may have as state keeps its type.
        dtype = found.dtype
        if not _goes_with(dtype.name, param):
            dtype = np.dtype(np.float64 if param.dtype.itemsize == 8 else np.float32)
        with np.errstate(over="ignore"):
            value = found.astype(dtype.newbyteorder("="), copy=False)
        if dtype != found.dtype and not np.array_equal(
            value.astype(found.dtype), found, equal_nan=True
        ):
            raise ValueError(
                f"state {name!r} of {label} has {found.dtype} values that {dtype} cannot hold"
            )
        values[name] = value
    return values


def _goes_with(state_dtype: str, param: Any) -> bool:
    """Whether a parameter may have state of this type: float64 goes with float64 alone."""
    return bool((state_dtype == "float64") == (param.dtype.itemsize == 8))
