"""Our optimizer over the memory of torch's tensors: options, places and state in ours."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from ferrostep.compat.torch.exchange import LAST_STEP
from ferrostep.compat.torch.memory import Gradients, array_of, number_of, place_of, tensor_of
from ferrostep.optimizer import Optimizer
from ferrostep.saved import number as read_number

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
        self._memory = ours._schema().memory
        #: Whether torch's class of this name has a count of steps in its state.
        self._counted = counted
        self.tensors = [tensor for group in groups for tensor in group["params"]]
        self.arrays = [array_of(p, f"parameter {i}") for i, p in enumerate(self.tensors)]
        self.places = [place_of(p) for p in self.tensors]
        self.gradients = Gradients(len(self.tensors))
        self._numbers: dict[Any, int] = {}
        for i, p in enumerate(self.tensors):
            if (first := self._numbers.setdefault(p, i)) != i:
                raise ValueError(f"parameters {first} and {i} are one tensor; give it once")
        self.count = len(groups)
        #: Those that have parameters, which ours always have.
        self._full = [i for i, group in enumerate(groups) if group["params"]]
        self._read = [itemgetter(*self._names(groups[i])) for i in self._full]
        self._seen: list[tuple[Any, ...] | None] = [None for _ in self._full]
        given, start = [], 0
        for group in (groups[i] for i in self._full):
            arrays = self.arrays[start : start + len(group["params"])]
            given.append({"params": arrays, **self._options(group)})
            start += len(arrays)
        self.core = ours(given, **settings) if given else None
        self._load(states)

    def _names(self, group: Group) -> list[str]:
        return [name for name in self._checks if name in group]

    def _options(self, group: Group) -> Group:
        return {name: plain(group[name]) for name in self._names(group)}

    def _load(self, states: Mapping[Any, Mapping[str, Any]]) -> None:
        """Take over state by tensor."""
        if self.core is None or not any(states.values()):
            return
        saved = self.core.state_dict(copy=False)
        dtypes = [g["state_dtype"] for g in self.core.param_groups for _ in g["params"]]
        saved["state"] = {
            (i := self._numbers[p]): {n: self._taken(n, x, p, dtypes[i]) for n, x in state.items()}
            for p, state in states.items()
            if state
        }
        self.core.load_state_dict(saved)

    def _taken(self, name: str, value: Any, tensor: Any, state_dtype: str | None) -> Any:
        """Return what is taken over of a tensor's state: an array, or a number as it is."""
        if name == "step" or name in self._memory:
            return _number(value)
        return _array(value, tensor.dtype, state_dtype)

    def refresh(self, groups: list[Group]) -> None:
        """Take over options that were changed."""
        for i, number in enumerate(self._full):
            values = self._read[i](groups[number])
            if values == self._seen[i] or self.core is None:
                continue
            own = self.core.param_groups[i]
            for name, value in self._options(groups[number]).items():
                if own[name] != value:
                    own[name] = value
            self._seen[i] = None if has_tensor(values) else values

    def has(self, groups: list[Group]) -> bool:
        """Whether these are the groups, with the same parameters."""
        found = [tensor for group in groups for tensor in group["params"]]
        same = len(found) == len(self.tensors) and len(groups) == self.count
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
        if self.core is not None:
            self.core.rebind(arrays)
        self.arrays, self.places = arrays, places
        return True

    def raw(self, tensor: Any) -> dict[str, Any]:
        """Return a parameter's state as we have it; empty before its first step."""
        number = self._numbers.get(tensor)
        if number is None or self.core is None:
            return {}
        return dict(self.core._state(number) or {})

    def shown(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return a state in torch's form, arrays as tensors of the same memory."""
        return {
            name: value if isinstance(value, torch.Tensor) else _tensor(value)
            for name, value in state.items()
            if name != "step" or self._counted
        }


def _tensor(value: Any) -> Any:
    if isinstance(value, float):
        return number_of(value)
    if not isinstance(value, int):
        return tensor_of(value)
    # torch counts in float32, which holds whole numbers so far.
    dtype = torch.float32 if value <= LAST_STEP else torch.float64
    return torch.tensor(float(value), dtype=dtype)


def number_in(value: Any, what: str) -> Any:
    """Return a tensor of a number that a rule remembers, whatever it came in."""
    return number_of(read_number(_number(value), what))


def _number(value: Any) -> Any:
    """Return a number, or an array of one, of whatever floating type."""
    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    return np.asarray(tensor.double() if tensor.is_floating_point() else tensor)


def _array(value: Any, dtype: Any, state_dtype: str | None) -> Any:
    """Return an array of state for a parameter of this type; torch has both of one type."""
    if isinstance(value, np.ndarray):
        value = tensor_of(value)
    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    narrow = tensor.dtype == torch.float64 and dtype != torch.float64
    if narrow or (tensor.is_floating_point() and tensor.itemsize == 2 and state_dtype is None):
        tensor = tensor.float()
    return array_of(tensor, "state") if tensor.is_floating_point() else np.asarray(tensor)
