"""The base class: groups, structure, state and stepping. It knows no formula."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ferrostep import checkpoint, pickled
from ferrostep import state_dict as _state_dict
from ferrostep._native import Core
from ferrostep.attributes import refuse_attribute
from ferrostep.groups import check_keys, read_names
from ferrostep.option import Option, check_body, collected, numbers, reads, reads_of
from ferrostep.options import (
    Check,
    CommonOptions,
    Settings,
    StateFactory,
    choice,
    finite,
    flag,
    invalid,
    non_negative,
    read_settings,
    stored_dtype,
    upper_bound,
)
from ferrostep.params import FLATTEN, flatten, is_groups, read_params
from ferrostep.pending import Pending, pending_differences, pending_from
from ferrostep.spellings import hint
from ferrostep.state import State

_clip = choice("global", "parameter")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "weight_decay": 0.0,
        "decoupled_weight_decay": False,
        "maximize": False,
        "flush_subnormals": False,
        "state_dtype": None,
    }
)


class NonFiniteError(FloatingPointError, ValueError):
    """A gradient is infinite or NaN, and the optimizer was made with ``nonfinite="raise"``."""


class Optimizer(Core):
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
        `state_dtype` (None: float64 for a float64 parameter, else float32; "float16" or
        "bfloat16" for half the memory; kept by state that exists already),
        `nonfinite` ("propagate"; "raise": NonFiniteError; "skip": leave the step out, as if it had
        never been asked for, and count it in `skipped_steps`), `backend` (None or "native",
        "reference"), `state_factory` (None, or what makes state arrays: see `MemmapState`).

    Each option is a property over all groups: ``opt.lr`` is the one value that they have, or a
    ValueError where they differ, and ``opt.lr = 0.01`` sets it in all of them, checked; what a
    group that is added later begins with stays in `defaults`. `nonfinite`, `backend` and
    `state_factory` can be set too, between steps.
    """

    RULE: ClassVar[str]
    #: The options' checks: the class's own, and with those that every class has.
    OPTIONS: ClassVar[dict[str, Check]] = {}
    CHECKS: ClassVar[dict[str, Check]] = {}
    #: State arrays that a stepped parameter always has, and those that depend on options.
    STATE: ClassVar[tuple[str, ...]] = ()
    OPTIONAL_STATE: ClassVar[tuple[str, ...]] = ()

    weight_decay = Option(non_negative)
    decoupled_weight_decay = Option(flag)
    maximize = Option(flag)
    flush_subnormals = Option(flag)
    state_dtype = Option(stored_dtype)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        common = collected(vars(Optimizer))
        check_body(cls, {*cls.OPTIONS, *common})
        cls.OPTIONS = {**cls.OPTIONS, **collected(vars(cls))}
        cls.CHECKS = {**cls.OPTIONS, **common, **cls.OPTIONS}

    def __init__(self, params: Any, options: dict[str, Any], common: CommonOptions) -> None:
        given = dict(common)
        settings = read_settings(
            given.pop("nonfinite", "propagate"),
            given.pop("backend", None),
            given.pop("state_factory", None),
        )
        for name in given:
            if name not in _DEFAULTS:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}"
                    f"{hint(name, self.CHECKS)}"
                )
        self._defaults = self._read_options({**options, **_DEFAULTS, **given})
        self._begin(settings, bound=params is not None)
        if params is None:
            self._groups.append({"params": [], **self._defaults})
            return
        for group in params if is_groups(params) else [{"params": params}]:
            self.add_param_group(group)

    def _begin(self, settings: Settings, *, bound: bool) -> None:
        """Start the core without parameters and state."""
        self._groups: list[dict[str, Any]] = []
        self._bound = bound
        self._start_core(self, settings)

    def _start_core(self, core: Core, settings: Settings) -> None:
        core._start(
            self.RULE,
            self._read_options,
            numbers(self.CHECKS, reads_of(self.check)),
            self._groups,
            not self._bound,
            NonFiniteError,
            settings,
        )

    @classmethod
    def _read_options(
        cls, given: Mapping[str, Any], known: Mapping[str, Any] = _NOTHING
    ) -> dict[str, Any]:
        """Return a group's options as plain Python values: `given` checked, the rest `known`."""
        check_keys(given, cls.CHECKS, cls.__name__)
        options = {}
        for name, check in cls.CHECKS.items():
            if name in given:
                options[name] = check(name, given[name])
            elif name in known:
                options[name] = known[name]
            else:
                raise ValueError(f"the param group has no {name!r}")
        cls.check(options)
        return options

    @classmethod
    @reads()
    def check(cls, options: dict[str, Any]) -> None:
        """Raise ValueError where options that are valid alone do not go together."""

    def _check_option(self, name: str, value: Any) -> None:
        """Refuse a value that does not go with a group's other options or its parameters."""
        together = reads_of(self.check)
        if together is None or name in together:
            for group in self._groups:
                self._read_options({**group, name: value})
        if name == "state_dtype":
            self._check_state_dtype(value)

    @property
    def defaults(self) -> dict[str, Any]:
        """What a new group's options are, as the constructor was told."""
        return self._defaults

    @property
    def nonfinite(self) -> str:
        """What happens to gradients that are not finite; it can be set between steps."""
        return self._settings.nonfinite

    @nonfinite.setter
    def nonfinite(self, value: str) -> None:
        self._choose(nonfinite=value)

    @property
    def backend(self) -> str | None:
        """What computes; it can be set between steps, for arrays in host memory."""
        return self._settings.backend

    @backend.setter
    def backend(self, value: str | None) -> None:
        self._choose(backend=value)

    @property
    def state_factory(self) -> StateFactory | None:
        """What makes state arrays; another one makes those that are missing from now on."""
        return self._settings.state_factory

    @state_factory.setter
    def state_factory(self, value: StateFactory | None) -> None:
        self._choose(state_factory=value)

    def _choose(self, **changed: Any) -> None:
        """Set one of the settings, checked; the others stay."""
        chosen = {**self._settings._asdict(), **changed}
        del chosen["reference"]  # which follows from the backend
        self._set_settings(read_settings(**chosen))

    if not TYPE_CHECKING:  # for a type checker, what is not declared is an error already

        def __setattr__(self, name, value):
            if not (name in self.CHECKS or name.startswith("_")):
                refuse_attribute(self, name)
            super().__setattr__(name, value)

        def __getattr__(self, name):
            if name == "_groups":
                raise RuntimeError("this optimizer was never made: call super().__init__()")
            known = () if name.startswith("_") else self.CHECKS
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint(name, known)}",
                name=name,
                obj=self,
            )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups: dicts of options and "params", which may be edited between steps."""
        return self._groups

    @property
    def state(self) -> Mapping[int | str, Mapping[str, Any]]:
        """Each stepped parameter's state, by position or name: "step" and live arrays."""
        pending: Pending | None = self._pending
        if pending is not None:
            return pending.state
        return State(self, self._keys())

    @property
    def skipped_steps(self) -> int:
        """How many steps ``nonfinite="skip"`` has left out, over the whole run.

        It is saved in `state_dict` and checkpoints as "skipped_steps", and 0 after `reset`.
        """
        return self._skipped

    def _keys(self) -> list[int | str]:
        if self._names is not None:
            return list(self._names)
        return list(range(len(self._parameters())))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; what `group` leaves out is the default."""
        if not self._bound:
            raise ValueError("this optimizer is unbound: give parameters to update()")
        self._group_sizes()  # what was edited from outside is not added to
        if not isinstance(group, Mapping) or "params" not in group:
            keys = f"a dict of {list(group)!r}" if isinstance(group, Mapping) else repr(group)
            raise TypeError(
                f"a param group must be a dict with 'params', found {keys}; for layers, {FLATTEN}"
            )
        check_keys(group, self.CHECKS, type(self).__name__)
        given = read_params(group["params"])
        names, arrays = given.names, given.arrays
        if not arrays:
            raise ValueError("optimizer got an empty parameter list")
        names = read_names(names, group, len(arrays), self._names or ())
        if self._groups and (names is None) != (self._names is None):
            raise ValueError("named and unnamed parameters cannot be mixed in one optimizer")
        made = {**self._defaults, **group, "params": list(arrays)}
        if names is not None:
            made["param_names"] = names
        self._read_options(made)
        self._add_group(
            made,
            arrays,
            names,
            given.container,
        )

    @staticmethod
    def _read_scaling(
        grad_scale: object, max_norm: object, clip: object
    ) -> tuple[float, float | None, bool]:
        """Return them, checked; the last says whether each parameter is clipped by itself."""
        scale = 1.0 if grad_scale is None else finite("grad_scale", grad_scale)
        if scale == 0:
            raise invalid("grad_scale", grad_scale, "must not be 0")
        bound = None if max_norm is None else upper_bound("max_norm", max_norm)
        return scale, bound, _clip("clip", clip) == "parameter"

    def _register_first(self, params: Any) -> tuple[Core, Pending | None]:
        """Return a core with the parameters of an unbound optimizer's first update.

        With it comes the state that it was loaded with, which it has taken over.
        """
        given, pending = read_params(params), self._pending
        if not given.arrays:
            raise ValueError("optimizer got an empty parameter list")
        self._group_sizes()  # groups that were edited from outside are refused
        core = Core()
        self._start_core(core, self._settings)
        names, arrays = given.names, given.arrays
        core._add_group(self._groups[0], arrays, names)
        if pending is not None:
            _, steps, states, _ = _state_dict.read(
                pending.state_dict(self._groups), type(self), core, self._groups, names
            )
            core._load(steps, states, 0)
        return core, pending

    def rebind(self, params: Any) -> None:
        """Go on with other arrays in the place of the parameters, and the same state.

        For a model whose arrays were replaced on purpose: unpickled, moved to shared memory, or
        assigned anew. A bound optimizer then also watches the list or dict that they come in.

        Parameters
        ----------
        params
            Arrays of the same shapes, dtypes and places (host or device), in the structure of the
            parameters: a list in the order of the groups, a dict of the same names, one array, or
            param groups.

        Raises
        ------
        ValueError, TypeError
            If an array does not fit, is read-only, or shares memory with another or with state; no
            parameter has been exchanged then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> weights = {"w": np.zeros(2)}
        >>> opt = fs.Momentum(weights, lr=0.5, momentum=0.5)
        >>> info = opt.step({"w": np.ones(2)})
        >>> weights = {"w": np.full(2, 8.0)}
        >>> opt.rebind(weights)
        >>> info = opt.step({"w": np.zeros(2)})
        >>> weights["w"]  # the velocity of the first step goes on
        array([7.75, 7.75])
        """
        if not self._parameters():
            raise ValueError("this optimizer has no parameters yet: give them to update()")
        groups = [group["params"] for group in params] if is_groups(params) else [params]
        given = [read_params(group) for group in groups]
        named = [one.names is not None for one in given]
        names, arrays, containers = self._names, [a for one in given for a in one.arrays], []
        if any(named) and names is None:
            raise ValueError("parameters came with names, but this optimizer's have none")
        if names is not None and len(given) == 1:
            if not all(named):
                raise ValueError(f"parameters must be a dict with the names {names!r}")
            by_name = dict(zip(given[0].names or (), arrays, strict=True))
            arrays = flatten("parameters", names, by_name)
        start = 0
        for one, group in zip(given, groups, strict=True):
            if one.container is not None:
                object_, entries = one.container
                if isinstance(group, dict) and len(given) == 1 and names is not None:
                    entries = [group[name] for name in names]
                containers.append((object_, entries, start))
            start += len(one.arrays)
        self._rebind(arrays, containers)

    def reset(self) -> None:
        """Forget all state: the next step is the first. Options stay, the learning rate among them.

        An unbound optimizer forgets its parameters too: the next `update` may bring others.
        """
        if not self._bound:
            self._await(None, 0)
            return
        count = len(self._parameters())
        self._load([None] * count, [None] * count, 0)

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
        if (pending := self._pending) is not None:
            self._group_sizes()
            saved = pending.state_dict(self._groups)
            return deepcopy(saved) if copy else saved
        return _state_dict.make(self, self._groups, self._names, copy=copy)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options from `state_dict`, ours or torch's: all of it or nothing.

        The arrays are copied. An unbound optimizer takes the options at once, and the state with
        the parameters of its next `update`.

        Raises
        ------
        ValueError, TypeError
            If groups, names, shapes, dtypes, steps or options do not fit; nothing has changed then.
        """
        self._plan_load(state_dict)()

    def _plan_load(self, state_dict: Mapping[str, Any]) -> Callable[[], None]:
        """Check all of `state_dict`, and return what takes it over, without Python code."""
        if not self._bound:
            self._group_sizes()  # groups that were edited from outside are refused
            pending, skipped, options = pending_from(state_dict, type(self), self, self._groups)
            return partial(self._await, pending, skipped, options)
        groups, steps, arrays, skipped = _state_dict.read(
            state_dict, type(self), self, self._groups, self._names
        )
        return partial(self._load, steps, arrays, skipped, groups)

    def _differences(self, state_dict: Mapping[str, Any]) -> Iterator[str]:
        """Say all that keeps a state dict of the right layout from being loaded."""
        cls, groups = type(self), self._groups
        if not self._bound:
            return pending_differences(state_dict, cls, self, groups)
        sizes, params = self._group_sizes(), self._parameters()
        return _state_dict.differences(state_dict, cls, groups, sizes, params, self._names)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save state, options and the parameters that this optimizer holds, all in one file.

        The file at `path` is replaced as a whole, or stays as it was; do not step meanwhile. An
        unbound optimizer does not hold its parameters: give them to `save_checkpoint`.

        Examples
        --------
        >>> import os, tempfile, numpy as np, ferrostep as fs
        >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
        >>> fs.Adam({"p": np.array([1.0, -2.0])}, lr=0.1).save(path)
        >>> q = np.zeros(2)
        >>> fs.Adam({"p": q}).load(path)
        >>> q
        array([ 1., -2.])
        """
        checkpoint.save(path, self)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take over what `save` has saved: all of it, or nothing.

        Raises
        ------
        ValueError, OSError
            If the file is damaged, no checkpoint, does not fit, or cannot be read.
        """
        checkpoint.load(path, self)

    def __getstate__(self) -> dict[str, Any]:
        return pickled.contents(self)

    def __setstate__(self, saved: dict[str, Any]) -> None:
        pickled.restore(self, saved)
        if self.state_factory is not None and self._bound:
            # What lies in memory goes where it belongs.
            self.load_state_dict(self.state_dict(copy=False))

    def __copy__(self) -> Self:
        """Return an optimizer of the same parameters with options and state of its own."""
        copied = type(self).__new__(type(self))
        saved = self.__getstate__()
        groups = [{**group, "params": list(group["params"])} for group in saved["groups"]]
        own = {"groups": groups, "defaults": dict(saved["defaults"])}
        pickled.restore(copied, {**saved, **own})
        copied.load_state_dict(copied.state_dict(copy=False))
        return copied

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self._groups):
            lines.append(f"Parameter Group {i}")
            options = (n for n in sorted(group, key=str) if n not in ("params", "param_names"))
            lines += [f"    {name}: {group[name]}" for name in options]
        return "\n".join([*lines, ")"])
