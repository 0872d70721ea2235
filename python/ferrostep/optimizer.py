"""The base class: groups, structure, state and stepping. It knows no formula."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ferrostep import state_dict as _state_dict
from ferrostep._native import Core, StepInfo
from ferrostep.backends import reference
from ferrostep.options import COMMON, Check, CommonOptions, choice
from ferrostep.params import flatten, is_groups, labels, read_params
from ferrostep.state import State

_BACKENDS = {None: None, "native": None, "reference": reference.update}
_NONFINITE = choice("propagate", "raise", "skip")


class NonFiniteError(FloatingPointError, ValueError):
    """A gradient is infinite or NaN, and the optimizer was made with ``nonfinite="raise"``."""


class Optimizer:
    """What all optimizers share; use one of its subclasses.

    Parameters
    ----------
    params
        Arrays to update in place: an array, an iterable of arrays, a dict of names, or param
        groups. None makes an unbound optimizer, whose `update` takes parameters and gradients.
    options
        The class's own options with their values.
    common
        Options that every class takes: `weight_decay` (default 0.0, >= 0),
        `decoupled_weight_decay` (False), `maximize` (False), `flush_subnormals` (False),
        `nonfinite` ("propagate", "raise" or "skip"), `backend` (None or "native", "reference").
    """

    RULE: ClassVar[str]
    #: The class's own options and their checks.
    OPTIONS: ClassVar[dict[str, Check]]
    #: State arrays that a stepped parameter always has, and those that depend on options.
    STATE: ClassVar[tuple[str, ...]] = ()
    OPTIONAL_STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Any, options: dict[str, Any], common: CommonOptions) -> None:
        given = dict(common)
        nonfinite, backend = given.pop("nonfinite", "propagate"), given.pop("backend", None)
        for name in given:
            if name not in COMMON:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}"
                )
        if backend not in _BACKENDS:
            raise ValueError(f"Invalid backend: {backend!r} (must be 'native' or 'reference')")
        plain: dict[str, Any] = {
            "weight_decay": 0.0,
            "decoupled_weight_decay": False,
            "maximize": False,
            "flush_subnormals": False,
        }
        self.nonfinite: str = _NONFINITE("nonfinite", nonfinite)
        self.backend: str | None = backend
        self.defaults: dict[str, Any] = self._read_group({**options, **plain, **given})
        self._start()
        if params is None:
            self._groups.append({"params": [], **self.defaults})
            return
        self._bound = True
        if not is_groups(params):
            params = [{"params": params}]
        for group in params:
            self.add_param_group(group)

    def _start(self) -> None:
        self._bound = False
        self._names: list[str] | None = None
        self._groups: list[dict[str, Any]] = []
        self._pending: Mapping[str, Any] | None = None
        self._core = self._new_core()

    def _new_core(self) -> Core:
        return Core(
            self.RULE,
            self._read_group,
            self._groups,
            self.nonfinite,
            _BACKENDS[self.backend],
            NonFiniteError,
        )

    @classmethod
    def _read_group(cls, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return a group's options, checked, as plain Python values."""
        for name in (*cls.OPTIONS, *COMMON):
            if name not in group:
                raise ValueError(f"the param group has no {name!r}")
        options = {name: check(name, group[name]) for name, check in cls.OPTIONS.items()}
        options |= {name: check(name, group[name]) for name, check in COMMON.items()}
        cls.check(options)
        return options

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Raise ValueError where options that are valid alone do not go together."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups: dicts of options and "params", which may be edited between steps."""
        return self._groups

    @property
    def state(self) -> State:
        """Each stepped parameter's state, by position or name: "step" and live arrays."""
        return State(self._core, self._keys())

    @property
    def skipped_steps(self) -> int:
        """How many steps ``nonfinite="skip"`` has left out."""
        return self._core.skipped_steps

    def _keys(self) -> list[int | str]:
        if self._names is not None:
            return list(self._names)
        return list(range(len(self._core.parameters())))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; what `group` leaves out is the default."""
        if not self._bound:
            raise ValueError("this optimizer is unbound: give parameters to update()")
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"a param group must be a dict with 'params', found {group!r}")
        names, arrays = read_params(group["params"])
        if names is None and "param_names" in group:
            names = list(group["param_names"])
        if not arrays:
            raise ValueError("optimizer got an empty parameter list")
        if self._groups and (names is None) != (self._names is None):
            raise ValueError("named and unnamed parameters cannot be mixed in one optimizer")
        twice = set(names or ()) & set(self._names or ())
        if twice:
            raise ValueError(f"parameter names must differ, found {sorted(twice)!r} twice")
        made = {**self.defaults, **group, "params": list(arrays)}
        if names is not None:
            made["param_names"] = names
        self._read_group(made)
        unknown = [n for n in group if n not in {*self.OPTIONS, *COMMON, *_state_dict.EXTRA}]
        if unknown:
            raise ValueError(f"a param group has no option {unknown[0]!r}")
        self._register(made, names, arrays)

    def _register(self, group: dict[str, Any], names: list[str] | None, arrays: list[Any]) -> None:
        count = len(self._core.parameters())
        self._core.add_group(group, arrays, labels(names, count, len(arrays)))
        if names is not None:
            self._names = [*(self._names or []), *names]
        if self._bound:
            self._groups.append(group)

    def step(self, grads: Any) -> StepInfo:
        """Update all parameters in place by one step, wholly or not at all.

        Parameters
        ----------
        grads
            The gradients in the structure of the parameters: never written; None skips a
            parameter. Arrays of any layout, float16, float32 or float64.

        Returns
        -------
        StepInfo
            `applied` is False if ``nonfinite="skip"`` left the step out.

        Raises
        ------
        ValueError, TypeError
            If gradients, parameters, state or options are not as they must be; nothing has been
            written then.
        NonFiniteError
            With ``nonfinite="raise"``, naming the parameter.
        """
        if self._bound and self._names is None and type(grads) is list:
            return self._core.step(grads)
        if not self._bound:
            raise ValueError("this optimizer is unbound (made without params): use update()")
        return self._core.step(flatten("gradients", self._names, grads))

    def update(self, params: Any, grads: Any) -> StepInfo:
        """Update `params`, given anew at each call: for an optimizer made without parameters.

        The first call fixes keys, shapes and dtypes, and makes the state. Otherwise as `step`.
        """
        if self._bound:
            raise ValueError("this optimizer is bound to its parameters: use step()")
        if not self._core.parameters():
            return self._first_update(params, grads)
        arrays = flatten("parameters", self._names, params)
        return self._core.update(list(arrays), flatten("gradients", self._names, grads))

    def _first_update(self, params: Any, grads: Any) -> StepInfo:
        """Take the parameters, and the state that was loaded before them; if it fails, neither."""
        names, arrays = read_params(params)
        if not arrays:
            raise ValueError("optimizer got an empty parameter list")
        try:
            self._register(self._groups[0], names, arrays)
            self._core.bind(True)
            if self._pending is not None:
                self.load_state_dict(self._pending)
            info = self._core.update(list(arrays), flatten("gradients", names, grads))
        except BaseException:
            self._core, self._names = self._new_core(), None
            raise
        self._pending = None
        return info

    def reset(self) -> None:
        """Forget all state: the next step is the first."""
        count = len(self._core.parameters())
        self._core.load([None] * count, [None] * count)
        self._core.skipped_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return state and groups in torch's layout; the arrays are the live ones, not copies."""
        return _state_dict.make(self._core, self._groups, self._names)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options from `state_dict`, ours or torch's: all of it or nothing.

        Raises
        ------
        ValueError, TypeError
            If groups, names, shapes, dtypes, steps or options do not fit; nothing has changed then.
        """
        if not self._bound and not self._core.parameters():
            _state_dict.check_layout(state_dict)
            self._pending = copy.deepcopy(dict(state_dict))
            return
        groups, steps, arrays, skipped = _state_dict.read(
            state_dict, type(self), self._core, self._groups, self._names
        )
        self._core.load(steps, arrays)
        self._core.skipped_steps = skipped
        for mine, loaded in zip(self._groups, groups, strict=True):
            mine.update(loaded)

    def __getstate__(self) -> dict[str, Any]:
        count = len(self._core.parameters())
        return {
            "defaults": self.defaults,
            "nonfinite": self.nonfinite,
            "backend": self.backend,
            "bound": self._bound,
            "names": self._names,
            "groups": self._groups,
            "arrays": self._core.parameters(),
            "states": [self._core.state(i) for i in range(count)],
            "skipped_steps": self.skipped_steps,
            "pending": self._pending,
        }

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.defaults, self.nonfinite = saved["defaults"], saved["nonfinite"]
        self.backend = saved["backend"]
        self._start()
        self._bound, self._pending = saved["bound"], saved["pending"]
        if not self._bound:
            self._groups.extend(saved["groups"])
            if saved["arrays"] and all(array is not None for array in saved["arrays"]):
                self._register(self._groups[0], saved["names"], saved["arrays"])
                self._core.bind(True)
        else:
            for group in saved["groups"]:
                self._register(group, group.get("param_names"), group["params"])
        if self._core.parameters():
            states = [dict(state) if state else {} for state in saved["states"]]
            steps = [state.pop("step", None) for state in states]
            self._core.load(steps, [state or None for state in states])
        self._core.skipped_steps = saved["skipped_steps"]

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        saved = self.__getstate__()
        copied.__setstate__({**saved, "groups": [dict(group) for group in saved["groups"]]})
        return copied

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            options = (n for n in sorted(group) if n not in ("params", "param_names"))
            lines += [f"    {name}: {group[name]}" for name in options]
        return "\n".join([*lines, ")"])
