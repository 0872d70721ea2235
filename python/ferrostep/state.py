"""The state of an optimizer as users see it: read-only mappings of live arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ferrostep._native import Core


class ParameterState(Mapping[str, Any]):
    """One parameter's state: "step", and arrays that may be written in place, not replaced."""

    def __init__(self, core: Core, index: int) -> None:
        self._core = core
        self._index = index

    def _now(self) -> dict[str, Any]:
        return self._core._state(self._index) or {}

    def __getitem__(self, name: str) -> Any:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return repr(self._now())


class State(Mapping[int | str, ParameterState]):
    """The state by position, or by name where parameters have names, from the first step on."""

    def __init__(self, core: Core, keys: Sequence[int | str]) -> None:
        self._core = core
        self._keys = {key: index for index, key in enumerate(keys)}

    def __getitem__(self, key: int | str) -> ParameterState:
        index = self._keys[key]
        if self._core._state(index) is None:
            raise KeyError(key)
        return ParameterState(self._core, index)

    def __iter__(self) -> Iterator[int | str]:
        return (key for key, i in self._keys.items() if self._core._state(i) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self.items()))
