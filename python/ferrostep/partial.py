"""State that fits by name, of a state dict that does not fit as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ferrostep.saved import Groups, arrays_in
from ferrostep.schema import Schema

Key = int | str


class LoadReport(NamedTuple):
    """What ``strict=False`` has taken over and what it has left, by name or position.

    Options are taken over where there are as many groups here as there.
    """

    #: Taken over, in this optimizer's order.
    loaded: tuple[Key, ...]
    #: Of this optimizer alone: they keep their state.
    missing: tuple[Key, ...]
    #: Of what was loaded alone: left out.
    unexpected: tuple[Key, ...]
    #: In both, of different shapes: they keep their state.
    shape: tuple[Key, ...]


def fit(
    saved: Mapping[str, Any],
    own: Mapping[str, Any],
    schema: Schema,
    names: list[str] | None,
    shapes: list[tuple[int, ...]],
    saved_shapes: list[tuple[int, ...]] | None,
) -> tuple[dict[str, Any], LoadReport]:
    """Return a state dict in the layout of `own`, with all of `saved` that fits, and the report.

    Both are of the right layout. `saved_shapes` are those of the parameters that were saved, in
    their order, where they are known; state tells its own.
    """
    places = [key for group in saved["param_groups"] for key in group["params"]]
    theirs = [name for group in saved["param_groups"] for name in group.get("param_names") or ()]
    by_name = names is not None and len(theirs) == len(places) == len(set(theirs))
    positions = list(range(len(shapes)))
    labels: list[Key] = [*(names or positions)]
    mine: list[Key] = labels if by_name else [*positions]
    saved_keys: list[Key] = [*theirs] if by_name else [*range(len(places))]
    order = {key: i for i, key in enumerate(saved_keys)}
    state: dict[int, Any] = {}
    loaded: list[Key] = []
    missing: list[Key] = []
    misfit: list[Key] = []
    for i, (key, label, shape) in enumerate(zip(mine, labels, shapes, strict=True)):
        j = order.get(key)
        entry = None if j is None else saved["state"].get(places[j])
        if j is None:
            missing.append(label)
        elif (saved_shapes and saved_shapes[j] != shape) or not _fits(schema, entry, shape):
            misfit.append(label)
        else:
            loaded.append(label)
            if entry is not None:
                state[i] = entry
            continue
        if i in own["state"]:
            state[i] = own["state"][i]
    if schema.whole_model:
        _share(schema, own["param_groups"], state, {labels.index(label) for label in loaded})
    unexpected = [key for key in saved_keys if key not in set(mine)]
    report = LoadReport(tuple(loaded), tuple(missing), tuple(unexpected), tuple(misfit))
    groups = _options(saved["param_groups"], own["param_groups"])
    return {**saved, "state": state, "param_groups": groups}, report


def _fits(schema: Schema, entry: Mapping[str, Any] | None, shape: tuple[int, ...]) -> bool:
    return all(
        tuple(getattr(array, "shape", ())) == schema.state_shape(name, shape)
        for name, array in arrays_in(schema, entry or {}).items()
    )


def _share(schema: Schema, groups: Groups, state: dict[int, Any], loaded: set[int]) -> None:
    """Let all parameters of a group have the numbers that came for one of them."""
    for group in groups:
        came = [state[i] for i in group["params"] if i in loaded and i in state]
        numbers = {n: came[0][n] for n in schema.memory if n in came[0]} if came else {}
        for i in group["params"]:
            if i in state:
                state[i] = {**state[i], **numbers}


def _options(theirs: Groups, mine: Groups) -> Groups:
    """Return our groups, with their options if they can be told apart."""
    if len(theirs) != len(mine):
        return mine
    which = ("params", "param_names")
    return [
        {k: v for k, v in their.items() if k not in which} | {k: own[k] for k in which if k in own}
        for their, own in zip(theirs, mine, strict=True)
    ]
