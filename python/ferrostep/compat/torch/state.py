"""`optimizer.state` as torch has it: tensors of our state's memory, made when looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import torch

#: Of a parameter whose state was taken out.
GONE: Any = None


class Entry(dict[str, Any]):
    """One parameter's state: what is set in it is taken over before the next step."""

    def __init__(self, content: Any = (), changed: Callable[[Entry], None] | None = None) -> None:
        super().__init__(content)
        self._changed = changed
        #: What was set or taken out, and is not ours yet.
        self._own: set[str] = set()

    def _tell(self, name: str) -> None:
        self._own.add(name)
        if self._changed is not None:
            self._changed(self)

    def renew(self, content: dict[str, Any], *, whole: bool) -> None:
        """Show what is ours now; `whole`: also in the place of what was set."""
        if whole:
            self._own.clear()
            super().clear()
        for name, value in content.items():
            if name not in self._own:
                super().__setitem__(name, value)

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._tell(name)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._tell(name)

    # The rest of a mutable mapping, in terms of these two: a dict's own would not call them.
    pop = MutableMapping.pop
    popitem = MutableMapping.popitem
    clear = MutableMapping.clear
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault

    def __ior__(self, other: Any) -> Entry:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class State(MutableMapping[Any, Any]):
    """The state by parameter; as in torch's there is an entry for whoever asks.

    What is kept under other keys, as hooks do, is nobody's state.
    """

    def __init__(
        self,
        look: Callable[[Any], dict[str, Any]],
        known: Callable[[], list[Any]],
        pending: dict[Any, Any],
        others: dict[Any, Any],
    ) -> None:
        self._look = look
        self._known = known
        self._pending = pending
        self._others = others

    def _put(self, key: Any, content: Any) -> Entry:
        pending, look = self._pending, self._look

        def changed(entry: Entry) -> None:
            if pending.get(key) is not entry:  # others may have stepped since it was looked at
                entry.renew(look(key), whole=False)
                pending[key] = entry

        return Entry(content, changed)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, torch.Tensor):
            return self._others[key]
        if key not in self._pending:
            return self._put(key, self._look(key))
        found: Entry | None = self._pending[key]
        return self._put(key, ()) if found is None else found

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, torch.Tensor):
            self._pending[key] = self._put(key, value)
        else:
            self._others[key] = value

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(key)
        if isinstance(key, torch.Tensor):
            self._pending[key] = GONE
        else:
            del self._others[key]

    def pop(self, key: Any, *default: Any) -> Any:
        found = self.get(key)  # the mapping's own asks for the key, and there is an entry for all
        if key not in self and default:
            return default[0]
        del self[key]
        return found

    def __contains__(self, key: object) -> bool:
        if isinstance(key, torch.Tensor):
            return bool(self[key])  # an empty entry is none
        return key in self._others

    def get(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            return default
        return self[key]

    def __iter__(self) -> Iterator[Any]:
        keys = dict.fromkeys([*self._known(), *self._pending])
        return (key for key in [*keys, *self._others] if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self.items()))
