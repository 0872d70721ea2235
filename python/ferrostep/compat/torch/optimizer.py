"""The base of all classes here: a torch optimizer in all but its step, which is ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from inspect import signature
from typing import Any, ClassVar

import torch
from torch.autograd import profiler
from torch.autograd.graph import increment_version
from torch.optim import optimizer as torch_optimizer

from ferrostep._native import step_tensors
from ferrostep.compat.torch.inner import Inner, number_in
from ferrostep.compat.torch.memory import on_streams_of
from ferrostep.compat.torch.state import GONE, Entry, State
from ferrostep.optimizer import Optimizer
from ferrostep.presets.torch import TORCH
from ferrostep.saved import DROPPED, lacks

#: Options of ours that are no group's.
SETTINGS = ("nonfinite", "backend", "state_factory")


class TorchOptimizer(torch.optim.Optimizer):
    """What all classes here share."""

    _ours: ClassVar[type[Optimizer]]
    _theirs: ClassVar[type[torch.optim.Optimizer] | None]

    #: GradScaler then hands over its scale instead of dividing gradients in a pass of its own.
    _step_supports_amp_scaling = True

    def __init__(self, params: Any, *args: Any, **options: Any) -> None:
        self._begin()
        self._settings = {name: options.pop(name) for name in SETTINGS if name in options}
        _refuse(options)
        if self._theirs is None:
            own = _without(options, DROPPED)
            super().__init__(params, {**self._ours(None, *args, **own).defaults, **options})
        else:
            known = signature(self._theirs).parameters
            mine = {*self._ours._schema().checks, *TORCH.ignored} - known.keys()
            more = {name: options.pop(name) for name in [*options] if name in mine}
            super().__init__(params, *args, **options)
            self.defaults.update(more)
            for group in self.param_groups:
                for name, value in more.items():
                    group.setdefault(name, value)
        self._renew()

    def _begin(self) -> None:
        self._inner: Inner | None = None
        #: State that was set, or taken out, since the last look.
        self._pending: dict[Any, Any] = {}
        #: State of parameters that are in no group now, and what others keep beside ours.
        self._absent: dict[Any, dict[str, Any]] = {}
        self._more: dict[Any, dict[str, Any]] = {}
        #: What hooks keep in `state` under keys of their own.
        self._others: defaultdict[Any, Any] = defaultdict(dict)
        #: The state dict that is being loaded.
        self._arriving: dict[str, Any] | None = None

    # What torch sets as a plain attribute.
    @property
    def state(self) -> State:
        """The state by parameter, in torch's form: tensors that share memory with ours.

        What is set in it is taken over before the next step, `step` and other numbers too; a tensor
        of a number that is written in place is not.
        """
        return State(self._shown, self._known, self._pending, self._others)

    @state.setter
    def state(self, content: Any) -> None:
        content = dict(content)  # it may be what is here
        self._pending.update(dict.fromkeys(self._known(), GONE))
        self._others.clear()
        self.state.update(content)

    def _known(self) -> list[Any]:
        tensors = [] if self._inner is None else self._inner.tensors
        return list(dict.fromkeys([*tensors, *self._absent, *self._more]))

    def _shown(self, tensor: Any) -> dict[str, Any]:
        inner = self._inner
        if inner is None:
            return {}
        found = inner.raw(tensor) or self._absent.get(tensor, {})
        return {**inner.shown(found), **self._more.get(tensor, {})}

    def _renew(self) -> Inner:
        """Take over parameters and state as they are in torch's form."""
        pending, before = self._pending, self._inner
        kept = [] if before is None else before.tensors
        states = {**self._absent, **{p: before.raw(p) for p in kept if before is not None}}
        more = dict(self._more)
        schema = self._ours._schema()
        ours = {"step", *schema.memory, *schema.arrays()}
        for p, entry in pending.items():
            states[p] = {name: x for name, x in (entry or {}).items() if name in ours}
            more[p] = {name: x for name, x in (entry or {}).items() if name not in ours}
        here = {tensor for group in self.param_groups for tensor in group["params"]}
        for group in self.param_groups:
            _refuse(group)
        with on_streams_of(here):
            inner = self._inner = Inner(
                self._ours,
                self._settings,
                self.param_groups,
                {p: x for p, x in states.items() if p in here},
                counted=self._theirs is not torch.optim.SGD,
            )
        self._absent = {p: state for p, state in states.items() if state and p not in here}
        self._more = {p: entry for p, entry in more.items() if entry}
        for p, entry in pending.items():
            if entry:
                entry.renew(self._shown(p), whole=True)
        pending.clear()
        return inner

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        if self._inner is None:
            return
        try:
            self._renew()
        except BaseException:
            self.param_groups.pop()
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have gradients, wholly or not at all.

        Parameters
        ----------
        closure
            Computes the loss and the gradients anew; None (the default): they are there.

        Returns
        -------
        The closure's loss, or None.

        Raises
        ------
        ValueError, TypeError
            If a gradient, a parameter or an option is not as it must be; nothing has been written.
        """
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or torch_optimizer._global_optimizer_pre_hooks
            or torch_optimizer._global_optimizer_post_hooks
            or profiler._is_profiler_enabled
        ):
            return self._profiled() if closure is None else self._profiled(closure)
        return self._step(closure)

    # torch wraps a step that lacks this: to call hooks and profiler takes 8 us if there are none.
    step.hooked = True  # type: ignore[attr-defined]

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        given = vars(self)
        if given.get("found_inf") is not None and float(given["found_inf"]):
            return loss
        scale = given.get("grad_scale")
        if scale is not None:
            scale = 1.0 / float(scale)
        inner = given["_inner"]
        groups = self.param_groups
        if self._pending or inner.count != len(groups):
            inner = self._renew()
        inner.refresh(groups)
        core, stepped = inner.core, None
        if core is not None:
            stepped = step_tensors(core, groups, inner.tensors, inner.arrays, scale)
        if stepped is None:
            stepped = self._step_after_a_look(scale)
        increment_version(stepped)
        return loss

    _profiled = torch.optim.Optimizer.profile_hook_step(_step)

    def _step_after_a_look(self, scale: float | None) -> list[Any]:
        """Step where parameters were moved or exchanged, or are not in plain host memory."""
        inner = self._looked()
        if inner.core is None:
            return []
        # torch's SGD has momentum of all rows, also of those that a sparse gradient leaves out.
        sgd = self._theirs is torch.optim.SGD
        dense = [sgd and bool(g["momentum"]) for g in self.param_groups for _ in g["params"]]
        gradients = [inner.gradients.of(i, p, dense[i]) for i, p in enumerate(inner.tensors)]
        with on_streams_of(inner.tensors):
            inner.core.step(gradients, grad_scale=scale)
        return [p for p, g in zip(inner.tensors, gradients, strict=True) if g is not None]

    def _looked(self) -> Inner:
        """Return ours of the parameters and state that there are now."""
        inner = self._inner
        if self._pending or not inner or not inner.has(self.param_groups) or not inner.follow():
            inner = self._renew()
        inner.refresh(self.param_groups)
        return inner

    def state_dict(self) -> dict[str, Any]:
        saved = super().state_dict()
        # Plain dicts, which torch.load(weights_only=True) knows.
        return {**saved, "state": {key: _plain(entry) for key, entry in saved["state"].items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # torch rounds state to its parameter's type on its way; ours is wider beside 16 bits.
        def note(_: Any, found: dict[str, Any]) -> None:
            self._arriving = found

        handle = self.register_load_state_dict_pre_hook(note)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
            self._arriving = None

    def __getstate__(self) -> dict[str, Any]:
        state = {p: _plain(entry) for p, entry in self.state.items()}
        return {**super().__getstate__(), "state": state, "_settings": self._settings}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        before = dict(vars(self))
        states = self._as_saved(saved["state"]) if before.get("_arriving") else saved["state"]
        try:
            self._begin()
            self.state = self._with_numbers(states, saved["param_groups"])
            super().__setstate__(_without(saved, ("state",)))
            for group in self.param_groups:
                for name, value in self.defaults.items():
                    group.setdefault(name, value)
            self._renew()
        except BaseException:
            self.__dict__ = before
            raise

    def _with_numbers(self, states: dict[Any, Any], groups: list[Any]) -> dict[Any, Any]:
        """Return state by parameter, with its numbers read, before torch's class reads them."""
        schema, read = self._ours._schema(), dict(states)
        tensors = [tensor for group in groups for tensor in group["params"]]
        for i, tensor in enumerate(tensors):
            if entry := read.get(tensor):
                lacking = [name for name in schema.memory if name not in entry]
                if lacking:
                    raise ValueError(lacks(schema, f"parameter {i}", lacking))
                numbers = {n: number_in(entry[n], f"{n!r} of parameter {i}") for n in schema.memory}
                read[tensor] = {**entry, **numbers}
        return read

    def _as_saved(self, states: dict[Any, Any]) -> dict[Any, Any]:
        """Return state by parameter as it was before torch rounded it."""
        arriving = self._arriving
        assert arriving is not None
        keys = [key for group in arriving["param_groups"] for key in group["params"]]
        tensors = [tensor for group in self.param_groups for tensor in group["params"]]
        by_tensor = dict(zip(tensors, keys, strict=True))
        given = arriving["state"]
        return {p: given.get(by_tensor.get(p), entry) for p, entry in states.items()}


def _refuse(options: dict[str, Any]) -> None:
    for name, refused in TORCH.refused.items():
        if options.get(name):
            raise ValueError(f"{name} must be False, found {options[name]!r}; {refused.remedy}")


def _plain(entry: Any) -> Any:
    return dict(entry) if isinstance(entry, Entry) else entry


def _without(options: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
