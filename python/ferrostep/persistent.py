"""The state of an optimizer, saved and loaded: as a dict, a file, a pickle or a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from ferrostep import keys
from ferrostep import state_dict as _state_dict
from ferrostep.declared import Declared
from ferrostep.options import read_settings
from ferrostep.partial import LoadReport, fit
from ferrostep.pending import Pending, pending_differences, pending_from
from ferrostep.saved import check_layout
from ferrostep.state import State
from ferrostep.storable import Storable


class Persistent(Storable, Declared):
    """An optimizer's state, and all ways to save and load it."""

    @property
    def state(self) -> Mapping[Any, Mapping[str, Any]]:
        """Each stepped parameter's state, by position, name or key: "step" and live arrays."""
        pending: Pending | None = self._pending
        own = State(self, self._keys())
        return own if pending is None else MappingProxyType({**own, **pending.state})

    @property
    def skipped_steps(self) -> int:
        """How many steps ``nonfinite="skip"`` has left out, over the whole run.

        It is saved in `state_dict` and checkpoints as "skipped_steps", and 0 after `reset`.
        """
        return self._skipped

    def _keys(self) -> list[Any]:
        if self._numbers is not None:
            return list(self._numbers)
        if self._names is not None:
            return list(self._names)
        return list(range(len(self._parameters())))

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return state and options in torch's layout; the parameters are not in it.

        Parameters
        ----------
        copy
            True (the default): a snapshot of this moment, which later steps leave alone. False:
            the live arrays, which move on with each step while the step counts beside them do not,
            so that both are of one moment only until then: for state that is larger than memory, or
            to be written away at once. `save`, pickling and `copy.deepcopy` copy nothing more than
            they have to.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> p = np.zeros(2)
        >>> opt = fs.Adam([p])
        >>> info = opt.step([np.ones(2)])
        >>> best = opt.state_dict()
        >>> info = opt.step([np.ones(2)])
        >>> best["state"][0]["step"], float(best["state"][0]["exp_avg"][0].round(2))
        (1, 0.1)
        """
        pending: Pending | None = self._pending
        begun = bool(self._layouts())
        if not (self._bound or begun):  # nothing else looks at them before parameters come
            self._group_sizes()
            for group in self._groups:
                self._schema().read(group)
        if pending is not None and not begun:
            saved = pending.state_dict(self._groups)
            return deepcopy(saved) if copy else saved
        for key in self._numbers or ():
            keys.check(key)
        saved = _state_dict.make(self, self._groups, copy=copy)
        if pending is None:
            return saved
        return pending.joined(saved, deepcopy if copy else lambda state: state)

    def _fit(
        self, state_dict: Mapping[str, Any], saved_shapes: list[tuple[int, ...]] | None
    ) -> tuple[dict[str, Any], LoadReport]:
        """Return what fits of a state dict, and what was left."""
        check_layout(state_dict)
        own = self.state_dict(copy=False)
        shapes = [shape for shape, _ in self._layouts()]
        if self._pending is not None or not shapes:
            raise ValueError(
                "strict must be True before the parameters are known, found False; "
                "give them to update() or to the constructor first"
            )
        return fit(state_dict, own, self._schema(), self._names, shapes, saved_shapes)

    def _plan_load(self, state_dict: Mapping[str, Any]) -> Callable[[], None]:
        """Check all of `state_dict`, and return what takes it over, without Python code."""
        if not self._bound:
            self._group_sizes()  # groups that were edited from outside are refused
            pending, skipped, options = pending_from(state_dict, self._schema(), self, self._groups)
            return partial(self._await, pending, skipped, options)
        groups, steps, arrays, skipped = _state_dict.read(
            state_dict, self._schema(), self, self._groups, self._names
        )
        return partial(self._load, steps, arrays, skipped, groups)

    def _differences(self, state_dict: Mapping[str, Any]) -> Iterator[str]:
        """Say all that keeps a state dict of the right layout from being loaded."""
        schema, groups = self._schema(), self._groups
        if not self._bound:
            return pending_differences(state_dict, schema, self, groups)
        sizes, params = self._group_sizes(), self._parameters()
        return _state_dict.differences(state_dict, schema, groups, sizes, params, self._names)

    def __getstate__(self) -> dict[str, Any]:
        """Return the whole optimizer, parameters included."""
        settings = self._settings
        saved = {
            "defaults": self.defaults,
            "nonfinite": settings.nonfinite,
            "backend": settings.backend,
            "state_factory": settings.state_factory,
            "missing": settings.missing,
            "bound": self._bound,
            "groups": self._groups,
            "attributes": {k: v for k, v in vars(self).items() if not self._made_anew(k)},
        }
        if not self._bound:
            # It holds no parameters: its state waits for those that come.
            return {**saved, "state_dict": self.state_dict(copy=False)}
        states, sizes, names, skipped = self._snapshot(False)
        return {
            **saved,
            "names": names,
            "sizes": sizes,
            "trees": self._trees(),
            "containers": self._containers(),
            "twice": (twice := np.empty(0), twice),
            "states": states,
            "skipped_steps": skipped,
        }

    def _made_anew(self, name: str) -> bool:
        """Whether an attribute is made anew, or wraps a method of this very optimizer.

        The others are a subclass's, or the user's.
        """
        own = ("_groups", "_bound", "_defaults")
        return name in own or callable(getattr(type(self), name, None))

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self._restore(saved)
        if self._settings.state_factory is not None and self._bound:
            # What lies in memory goes where it belongs.
            self.load_state_dict(self.state_dict(copy=False))

    def _restore(self, saved: dict[str, Any]) -> None:
        """Become what `__getstate__` has told of, where nothing but memory was allocated."""
        vars(self).update(saved["attributes"])
        self._defaults = saved["defaults"]
        nonfinite, backend = saved["nonfinite"], saved["backend"]
        missing = saved.get("missing", "raise")  # of 0.1
        settings = read_settings(nonfinite, backend, saved["state_factory"], missing)
        self._begin(settings, bound=saved["bound"])
        if not self._bound:
            self._groups.extend(saved["groups"])
            self._await(*pending_from(saved["state_dict"], self._schema(), self, self._groups))
            return
        names, start = saved["names"], 0
        for group, size, like in zip(saved["groups"], saved["sizes"], saved["trees"], strict=True):
            theirs = None if names is None else names[start : start + size]
            self._add_group(group, group["params"], theirs, like, restored=True)
            start += size
        self._watch(saved["containers"])
        first, second = saved["twice"]
        if first is not second:
            # Some picklers (joblib's) make two arrays of one that is met twice: then the parameters
            # are not those that the model has, and the next step is to say so.
            self._watch([(None, None, [], [])])
        states = [dict(state) if state else {} for state in saved["states"]]
        steps = [state.pop("step", None) for state in states]
        self._load(steps, [state or None for state in states], saved["skipped_steps"])

    def __copy__(self) -> Self:
        """Return an optimizer of the same parameters with options and state of its own."""
        copied = type(self).__new__(type(self))
        saved = self.__getstate__()
        groups = [dict(group) for group in saved["groups"]]
        for group in groups:
            if isinstance(params := group.get("params"), list):  # where unbound, nobody misses it
                group["params"] = list(params)
        own = {"groups": groups, "defaults": dict(saved["defaults"])}
        copied._restore({**saved, **own})
        copied.load_state_dict(copied.state_dict(copy=False))
        return copied
