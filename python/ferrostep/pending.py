"""State that was loaded into an unbound optimizer, until its parameters come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ferrostep import state_dict as _state_dict
from ferrostep._native import Core
from ferrostep.backends import cuda
from ferrostep.differences import refuse
from ferrostep.saved import (
    Groups,
    arrays_in,
    check_layout,
    check_numbers,
    memory_in,
    read_options,
    skipped_steps,
)
from ferrostep.schema import Schema


class Pending(NamedTuple):
    """Checked as far as can be without parameters; what hangs on them is checked when they come."""

    #: By the keys in `params`.
    entries: dict[Any, dict[str, Any]]
    params: list[Any]
    names: list[str] | None
    skipped: int

    @property
    def state(self) -> Mapping[int | str, Mapping[str, Any]]:
        """As an optimizer shows its state."""
        keys: Iterable[int | str] = range(len(self.params)) if self.names is None else self.names
        return MappingProxyType(
            {
                key: MappingProxyType({"step": 0, **self.entries[param]})
                for key, param in zip(keys, self.params, strict=True)
                if param in self.entries
            }
        )

    def split(self, name: str) -> tuple[Pending | None, Pending | None]:
        """Return what is of the parameter of this name, and what is left; None for nothing."""
        if self.names is None:
            raise ValueError(
                f"the state that was loaded must have names, {name!r} among them, found "
                f"{len(self.params)} parameters by position; give them to update() as they were"
            )
        if name not in self.names:
            return None, self
        place = self.names.index(name)
        rest = [i for i in range(len(self.names)) if i != place]
        left = self._part(rest)._replace(skipped=self.skipped)
        return self._part([place])._replace(skipped=0), left if rest else None

    def among(self, names: list[str] | None) -> Pending:
        """Return it beside parameters of these names, if they are more than those it is of."""
        if not self.names or not names or not set(self.names) < set(names):
            return self
        place = {name: i for i, name in enumerate(self.names)}
        unused = max(self.params, default=0) + 1
        params = [
            self.params[place[name]] if name in place else unused + i
            for i, name in enumerate(names)
        ]
        return self._replace(params=params, names=names)

    def _part(self, places: list[int]) -> Pending:
        params = [self.params[i] for i in places]
        names = self.names and [self.names[i] for i in places]
        entries = {param: self.entries[param] for param in params if param in self.entries}
        return Pending(entries, params, names, self.skipped)

    def joined(self, saved: dict[str, Any], taken: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the state dict of those parameters that have come, with what still waits."""
        (group,) = saved["param_groups"]
        numbers = {param: len(group["params"]) + i for i, param in enumerate(self.params)}
        saved["state"].update(
            (numbers[param], taken(entry)) for param, entry in self.entries.items()
        )
        group["params"] += numbers.values()
        group["param_names"] += self.names or ()
        return saved

    def state_dict(self, groups: Groups) -> dict[str, Any]:
        """Return the state dict that was loaded, with the options that the group has by now."""
        return _state_dict.pack(self.entries, groups, [self.params], self.names, self.skipped)


class _Like(NamedTuple):
    """What is known of a parameter that is not held."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def pending_differences(
    saved: Mapping[str, Any], schema: Schema, core: Core, groups: Groups
) -> Iterator[str]:
    """Say all that keeps a state dict from being loaded into an unbound optimizer.

    Where that has had parameters that come together, it must fit those, unless it is of one that
    has not begun.
    """
    begun = core._numbers is None and any(group["params"] for group in saved["param_groups"])
    known = [_Like(shape, np.dtype(dtype)) for shape, dtype in core._layouts() if begun]
    sizes, names = (core._group_sizes(), core._names) if known else ([], None)
    return _state_dict.differences(saved, schema, groups, sizes, known, names)


def pending_from(
    saved: Mapping[str, Any], schema: Schema, core: Core, groups: Groups
) -> tuple[Pending | None, int, list[dict[str, Any]]]:
    """Return what waits for parameters (None if nothing does), skipped steps and options."""
    check_layout(saved)
    refuse(pending_differences(saved, schema, core, groups))
    options = [
        read_options(schema, i, mine, group)
        for i, (mine, group) in enumerate(zip(groups, saved["param_groups"], strict=True))
    ]
    (group,) = saved["param_groups"]
    names = group.get("param_names")
    if names is not None and len(names) != len(group["params"]):
        raise ValueError(
            f"the state dict has {len(names)} param_names, wanted {len(group['params'])}: "
            "one for each parameter"
        )
    for key, entry in saved["state"].items():
        arrays = [cuda.to_host(array) for array in arrays_in(schema, entry).values()]
        label = f"parameter {key!r}"
        check_numbers(memory_in(schema, entry, label), arrays, label)
    skipped = skipped_steps(saved)
    if not group["params"]:  # of an optimizer that had not begun
        return None, skipped, options
    entries = {key: deepcopy(dict(entry)) for key, entry in saved["state"].items()}
    return Pending(entries, list(group["params"]), names and list(names), skipped), skipped, options
