"""``state_dict`` in torch's layout: made, and read with everything checked first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ferrostep._native import Core, check_memory, rule_scalars
from ferrostep.backends import cuda
from ferrostep.differences import of_names, refuse
from ferrostep.groups import EXTRA, SCHEDULED, private
from ferrostep.options import STATE_DTYPES
from ferrostep.saved import (
    LOADED,
    Groups,
    arrays_in,
    check_layout,
    check_numbers,
    goes_with,
    lacks,
    memory_in,
    read_options,
    skipped_steps,
    values_of,
    whole,
    wrappers_in,
)
from ferrostep.schema import Schema


def make(core: Core, groups: Groups, *, copy: bool) -> dict[str, Any]:
    """Return the state dict, with copies or the live arrays: of one moment, whoever steps."""
    found, sizes, names, skipped = core._snapshot(copy)
    states = {i: state for i, state in enumerate(found) if state is not None}
    params, start = [], 0
    for size in sizes or [0]:
        params.append(list(range(start, start + size)))
        start += size
    return pack(states, groups, params, names, skipped)


def pack(
    states: Mapping[Any, Mapping[str, Any]],
    groups: Groups,
    params: list[list[Any]],
    names: list[str] | None,
    skipped: int,
) -> dict[str, Any]:
    """Return a state dict of state by parameter, and the parameters of each group."""
    packed, start = [], 0
    for keys, group in zip(params, groups, strict=True):
        saved = {
            name: value
            for name, value in group.items()
            if name not in EXTRA - SCHEDULED and not private(name)
        }
        saved["params"] = list(keys)
        if names is not None:
            saved["param_names"] = names[start : start + len(keys)]
        packed.append(saved)
        start += len(keys)
    return {"state": dict(states), "param_groups": packed, "skipped_steps": skipped}


def differences(
    saved: Mapping[str, Any],
    schema: Schema,
    groups: Groups,
    sizes: list[int],
    params: list[Any],
    names: list[str] | None,
) -> Iterator[str]:
    """Say all that keeps a state dict of this layout from being loaded, but for arrays' values.

    Nothing is read of arrays but shape and dtype. Without parameters what hangs on them is left.
    """
    around = [own.get("class") for own in wrappers_in(saved)]
    if around:
        yield (
            f"the state dict has the wrappers {around!r:.200}, wanted none; load it into an "
            "optimizer that they are around"
        )
    theirs = saved["param_groups"]
    if len(theirs) != len(groups):
        yield f"the state dict has {len(theirs)} groups, wanted {len(groups)}"
    for i, (group, size) in enumerate(zip(theirs, sizes, strict=False)):
        if len(group["params"]) != size:
            count = len(group["params"])
            yield f"group {i} of the state dict has {count} parameters, wanted {size}"
    misnamed = list(_name_differences(theirs, names))
    yield from misnamed
    keys = [key for group in theirs for key in group["params"]]
    if len(set(keys)) != len(keys):
        yield f"the state dict has the parameters {keys!r}, wanted each once"
    unknown = set(saved["state"]) - set(keys)
    if unknown:
        found = sorted(unknown, key=repr)
        yield f"the state dict has state of unknown parameters {found!r}, wanted of {keys!r} alone"
    options: dict[Any, dict[str, Any]] = {}  # by key, where they are none of the differences
    counting: set[Any] = set()
    for i, (mine, group) in enumerate(zip(groups, theirs, strict=False)):
        try:
            read = schema.read({**mine, **read_options(schema, i, mine, group)})
            counting |= {*group["params"]} if _counts(schema, read) else set()
            options.update(dict.fromkeys(group["params"], read))
        except ValueError as error:
            yield str(error)
    # Where sizes or names differ, nobody can tell whose state is whose.
    known = not misnamed and [len(group["params"]) for group in theirs] == sizes
    for i, key in enumerate(keys):
        label = f"parameter {key if names is None or not known else names[i]!r}"
        param = params[i] if known else None
        entry = saved["state"].get(key)
        own = options.get(key)
        dtype = None if own is None else own["state_dtype"]
        if param is not None and dtype is not None and not goes_with(dtype, param):
            wanted = "float64" if param.dtype.itemsize == 8 else "float16, bfloat16 or float32"
            yield (
                f"the state dict's state_dtype beside {label} of dtype {param.dtype} must be "
                f"{wanted}, found {dtype}"
            )
        if entry is None:
            continue
        needed = ["step"] if key in counting else []
        lacking = [name for name in (*needed, *schema.memory) if name not in entry]
        if lacking and arrays_in(schema, entry):
            yield lacks(schema, label, lacking)
        yield from _state_differences(schema, own, entry, param, label)
    if schema.whole_model:
        yield from _of_several_models(schema, saved)
    try:
        skipped_steps(saved)
    except ValueError as error:
        yield str(error)


def _counts(schema: Schema, options: dict[str, Any]) -> bool:
    """Whether a step's scalars depend on its number."""
    first, second = (
        rule_scalars(schema.rule, options, "float64", t, False, 1.0)[0] for t in (1, 2)
    )
    return first != second


def _name_differences(theirs: Groups, names: list[str] | None) -> Iterator[str]:
    found = [name for group in theirs for name in group.get("param_names") or ()]
    if names is not None and found and found != names:
        wrong = list(of_names("the state dict", found, names, "parameter"))
        yield from wrong or [f"the state dict has the order {found!r}, wanted {names!r}"]


def _of_several_models(schema: Schema, saved: Mapping[str, Any]) -> Iterator[str]:
    for i, group in enumerate(saved["param_groups"]):
        entries = [saved["state"][key] for key in group["params"] if key in saved["state"]]
        for name in schema.memory:
            found = {value for entry in entries if type(value := entry.get(name)) is float}
            if len(found) > 1:
                few = ", ".join(map(repr, sorted(found)[:2]))
                yield (
                    f"{name!r} must be the same for all parameters of group {i}, since "
                    f"{schema.name} has it of the model, found {few}"
                )


def _check_memory(
    schema: Schema, options: dict[str, Any] | None, entry: Mapping[str, Any], label: str
) -> None:
    numbers = memory_in(schema, entry, label)
    if numbers and options is not None:
        check_memory(schema.rule, options, numbers, label)


def _state_differences(
    schema: Schema,
    options: dict[str, Any] | None,
    entry: Mapping[str, Any],
    param: Any,
    label: str,
) -> Iterator[str]:
    """Say what is wrong with one parameter's state; `options` and `param`: None if not known."""
    for read in (
        lambda: whole(entry.get("step", 0), f"the step of {label}", LOADED),
        lambda: _check_memory(schema, options, entry, label),
    ):
        try:
            read()
        except ValueError as error:
            yield str(error)
    given = arrays_in(schema, entry)
    always, known = schema.arrays_of(None if param is None else len(param.shape))
    unknown = set(given) - set(known)
    if unknown:
        others = sorted(unknown, key=repr)
        yield f"the state of {label} has unknown arrays {others!r}, wanted {[*known]!r}"
    missing = set(always) - set(given)
    if missing:
        yield f"the state of {label} lacks {sorted(missing)!r}"
    for name, array in given.items():
        # Another library's array tells its type in another way.
        plain = isinstance(getattr(array, "dtype", None), np.dtype)
        found = array if plain else cuda.to_host(array)
        wanted = None if param is None else schema.state_shape(name, param.shape)
        if wanted is not None and found.shape != wanted:
            yield f"state {name!r} of {label} has shape {found.shape}, wanted {wanted}"
        if found.dtype.name not in STATE_DTYPES:
            words = ", ".join(STATE_DTYPES)
            yield f"state {name!r} of {label} has dtype {found.dtype}, wanted one of {words}"


def read(
    saved: Mapping[str, Any],
    schema: Schema,
    core: Core,
    groups: Groups,
    names: list[str] | None,
) -> tuple[Groups, list[int | None], list[dict[str, Any] | None], int]:
    """Return options by group, step counts and arrays by parameter, and the skipped steps."""
    check_layout(saved)
    params, theirs = core._parameters(), saved["param_groups"]
    refuse(differences(saved, schema, groups, core._group_sizes(), params, names))
    options = [
        read_options(schema, i, mine, group)
        for i, (mine, group) in enumerate(zip(groups, theirs, strict=True))
    ]
    steps: list[int | None] = []
    arrays: list[dict[str, Any] | None] = []
    keys = [key for group in theirs for key in group["params"]]
    for i, (key, param) in enumerate(zip(keys, params, strict=True)):
        entry = saved["state"].get(key)
        if entry is None:
            steps.append(None)
            arrays.append(None)
            continue
        label = f"parameter {i if names is None else names[i]!r}"
        steps.append(whole(entry.get("step", 0), f"the step of {label}"))
        values = values_of(schema, entry, param, label)
        remembered = memory_in(schema, entry, label)
        check_numbers(remembered, values.values(), label)
        made = core._new_states(i, [(name, value.dtype.name) for name, value in values.items()])
        for array, value in zip(made, values.values(), strict=True):
            cuda.assign(array, value)
        arrays.append({**remembered, **dict(zip(values, made, strict=True))})
    return options, steps, arrays, skipped_steps(saved)
