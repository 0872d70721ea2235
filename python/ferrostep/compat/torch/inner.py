"""Our optimizer over the memory of torch's tensors: options, places and state in ours."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from ferrostep.compat.torch.exchange import LAST_STEP
from ferrostep.compat.torch.memory import array_of, place_of, tensor_of
from ferrostep.optimizer import Optimizer

Group = dict[str, Any]


def plain(value: Any) -> Any:
    """Return a number for a tensor of one element: the rate may be one."""
    if isinstance(value, torch.Tensor):
        return value.item()
    if isinstance(value, tuple | list):
        return tuple(plain(each) for each in value)
    return value


def has_tensor(values: tuple[Any, ...]) -> bool:
    """Whether one of the values may change in place."""
    return any(
        isinstance(value, torch.Tensor | list) or (isinstance(value, tuple) and has_tensor(value))
        for value in values
    )


class Inner:
    """What a torch optimizer's tensors, options and state are in ours, as of its last look."""

    def __init__(
        self,
        ours: type[Optimizer],
        settings: Mapping[str, Any],
        groups: list[Group],
        states: Mapping[Any, Mapping[str, Any]],
        *,
        counted: bool,
    ) -> None:
        self._checks = ours._schema().checks
        #: Whether torch's class of this name has a count of steps in its state.
        self._counted = counted
        self.tensors = [tensor for group in groups for tensor in group["params"]]
        self.arrays = [array_of(p, f"parameter {i}") for i, p in enumerate(self.tensors)]
        self.places = [place_of(p) for p in self.tensors]
        self._numbers: dict[Any, int] = {}
        for i, p in enumerate(self.tensors):
            if (first := self._numbers.setdefault(p, i)) != i:
                raise ValueError(f"parameters {first} and {i} are one tensor; give it once")
        self._read = [itemgetter(*self._names(group)) for group in groups]
        self._seen: list[tuple[Any, ...] | None] = [None for _ in groups]
        given, start = [], 0
        for group in groups:
            arrays = self.arrays[start : start + len(group["params"])]
            given.append({"params": arrays, **self._options(group)})
            start += len(arrays)
        self.core = ours(given, **settings)
        self._load(states)

    def _names(self, group: Group) -> list[str]:
        return [name for name in self._checks if name in group]

    def _options(self, group: Group) -> Group:
        return {name: plain(group[name]) for name in self._names(group)}

    def _load(self, states: Mapping[Any, Mapping[str, Any]]) -> None:
        """Take over state by tensor."""
        if not any(states.values()):
            return
        unknown = [key for key in states if key not in self._numbers]
        if unknown:
            raise ValueError(
                f"state must be of parameters in param_groups, found {len(unknown)} others; "
                "add them first, or take them out, del optimizer.state[p]"
            )
        saved = self.core.state_dict(copy=False)
        dtypes = [g["state_dtype"] for g in self.core.param_groups for _ in g["params"]]
        saved["state"] = {
            (i := self._numbers[p]): {name: _array(x, dtypes[i]) for name, x in state.items()}
            for p, state in states.items()
            if state
        }
        self.core.load_state_dict(saved)

    def refresh(self, groups: list[Group]) -> None:
        """Take over options that were changed."""
        for i, group in enumerate(groups):
            values = self._read[i](group)
            if values == self._seen[i]:
                continue
            own = self.core.param_groups[i]
            for name, value in self._options(group).items():
                if own[name] != value:
                    own[name] = value
            self._seen[i] = None if has_tensor(values) else values

    def has(self, groups: list[Group]) -> bool:
        """Whether these are the groups, with the same parameters."""
        found = [tensor for group in groups for tensor in group["params"]]
        same = len(found) == len(self.tensors) and len(groups) == len(self._seen)
        return same and all(p is q for p, q in zip(found, self.tensors, strict=True))

    def follow(self) -> bool:
        """Go on in the memory that the tensors have now; False if shapes or types differ."""
        places = [place_of(p) for p in self.tensors]
        if places == self.places:
            return True
        if [(shape, *kind) for _, shape, _, *kind in places] != [
            (shape, *kind) for _, shape, _, *kind in self.places
        ]:
            return False
        arrays = [array_of(p, f"parameter {i}") for i, p in enumerate(self.tensors)]
        self.core.rebind(arrays)
        self.arrays, self.places = arrays, places
        return True

    def raw(self, tensor: Any) -> dict[str, Any]:
        """Return a parameter's state as we have it; empty before its first step."""
        number = self._numbers.get(tensor)
        return {} if number is None else dict(self.core._state(number) or {})

    def shown(self, tensor: Any) -> dict[str, Any]:
        """Return a parameter's state in torch's form, arrays as tensors of the same memory."""
        state = self.raw(tensor)
        if not state:
            return {}
        step = state.pop("step")
        tensors = {name: tensor_of(array) for name, array in state.items()}
        if not self._counted:
            return tensors
        # torch counts in float32, which holds whole numbers so far.
        dtype = torch.float32 if step <= LAST_STEP else torch.float64
        return {"step": torch.tensor(float(step), dtype=dtype), **tensors}


def _array(value: Any, state_dtype: str | None) -> Any:
    """Return an array of state from torch; torch has that of a 16-bit parameter in its type."""
    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() == 2 and state_dtype is None:
        tensor = tensor.float()
    return array_of(tensor, "state") if tensor.is_floating_point() else np.asarray(tensor)
