"""One of the two worlds: the calls that a session makes on what it holds."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from typing import Any

import numpy as np

import ferrostep as fs
from cases import CLASSES
from ferrostep import _native, clip, schedulers
from fuzzing.damage import mangled
from fuzzing.holdings import DOCUMENTED, Holdings
from fuzzing.things import At, Many
from support.arrays import arrays_in
from support.interrupts import interrupted_at

#: What may stand in a group.
GROUP = {
    *("params", "param_names", "initial_lr"),
    *(name for cls in CLASSES for name in cls._schema().checks),
}
BY_NAME = {cls.__name__: cls for cls in CLASSES}
CLIPS = {name: getattr(clip, name) for name in clip.__all__}
SCHEDULES = {
    "step": lambda o: schedulers.StepLR(o, step_size=2, gamma=0.5),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, T_max=5),
    "exponential": lambda o: schedulers.ExponentialLR(o, gamma=0.9),
    "linear": lambda o: schedulers.LinearLR(o),
    "restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 2, T_mult=2),
    "swa": lambda o: schedulers.SWALR(o, swa_lr=0.02, anneal_epochs=4),
    "chain": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o), schedulers.PolynomialLR(o, total_iters=9)]
    ),
    "cycle": lambda o: schedulers.OneCycleLR(o, max_lr=0.5, total_steps=9),
}


class World(Holdings):
    """Runs calls; `backend` is that of every optimizer made."""

    def __init__(self, backend: str | None) -> None:
        super().__init__()
        self.backend = backend

    def call(self, call: tuple[Any, ...]) -> tuple[Any, ...]:
        """Make one call and return what came of it, in a form that compares."""
        name, *arguments = call
        try:
            return ("done", _plain(getattr(self, name)(*arguments)))
        except DOCUMENTED as error:
            return ("refused", type(error).__name__, re.sub(r"0x[0-9a-f]+", "0x", str(error)))

    def make(self, slot: int, name: str, params: Any, options: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in options.items()}
        params = self._groups(params) if isinstance(params, list) else self.build(params)
        self.optimizers[slot] = BY_NAME[name](params, **{"backend": self.backend, **given})
        self.schedulers[slot] = None

    def _groups(self, groups: list[Any]) -> list[Any]:
        return [{key: self.build(value) for key, value in group.items()} for group in groups]

    def step(self, slot: int, grads: Any, scaling: dict[str, Any]) -> Any:
        built = self.build(grads)
        done = self._step(slot, built, scaling)
        self.grads[slot] = None if "Sneaky" in repr(grads) else built
        return done

    def update(self, slot: int, params: Any, grads: Any, scaling: dict[str, Any]) -> Any:
        built = self.build(grads)
        done = self._update(slot, params, built, scaling)
        self.params[slot], self.grads[slot] = params, None if "Sneaky" in repr(grads) else built
        return done

    def again(self, slot: int, scaling: dict[str, Any]) -> Any:
        """With the very gradients of the last time."""
        if self.optimizers[slot]._bound:
            return self._step(slot, self.grads[slot], scaling)
        return self._update(slot, self.params[slot], self.grads[slot], scaling)

    def _step(self, slot: int, grads: Any, scaling: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in scaling.items()}
        return self.optimizers[slot].step(grads, **given)

    def _update(self, slot: int, params: Any, grads: Any, scaling: dict[str, Any]) -> Any:
        given = {key: self.build(value) for key, value in scaling.items()}
        return self.optimizers[slot].update(self.build(params), grads, **given)

    def interrupted(self, slot: int, call: tuple[Any, ...], event: int) -> None:
        """With an interrupt at one of its moments: then all of it was done, or it is done now."""
        opt = self.optimizers[slot]
        outcome: list[Any] = []

        def counts() -> list[Any]:
            return [opt.skipped_steps, *(entry.get("step") for entry in opt.state.values())]

        before = counts()
        interrupted_at(event, lambda: outcome.append(self.call(call)))
        if not outcome and counts() == before:
            self.call(call)

    def raced(self, slot: int, call: tuple[Any, ...]) -> Any:
        """By two threads at a time: each makes it once, and one waits for the other."""
        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda: found.append(self.call(call)), daemon=True)
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return sorted(map(repr, found))

    def option(self, slot: int, group: int, name: Any, value: Any) -> None:
        groups = self.optimizers[slot].param_groups
        if groups:
            groups[group % len(groups)][name] = self.build(value)

    def set(self, slot: int, name: str, value: Any) -> None:
        """Through a property: in all groups, or in none."""
        setattr(self.optimizers[slot], name, self.build(value))

    def edit(self, slot: int, group: int, how: str) -> None:
        """Do to the groups what must be done by `add_param_group`, or undo an option."""
        groups = self.optimizers[slot].param_groups
        if not groups:
            return
        chosen = groups[group % len(groups)]
        match how:
            case "append":
                groups.append(dict(chosen))
            case "pop":
                groups.pop()
            case "replace":
                groups[group % len(groups)] = dict(chosen)
            case "no lr":
                chosen.pop("lr", None)
            case "no params":
                chosen.pop("params", None)
            case "other params":
                chosen["params"] = [np.ones(3)]
            case "fewer params":
                chosen["params"] = list(chosen.get("params", ()))[:-1]
            case "tidy":
                for key in [key for key in chosen if key not in GROUP]:
                    del chosen[key]
            case "reorder":
                first = next(iter(chosen), None)
                if first is not None:
                    chosen[first] = chosen.pop(first)
            case "in place":
                for value in chosen.values():
                    if isinstance(value, list) and value and isinstance(value[0], float):
                        value[0] /= 2

    def add(self, slot: int, group: Any) -> None:
        given = self._groups([group])[0] if isinstance(group, dict) else self.build(group)
        self.optimizers[slot].add_param_group(given)

    def load(self, slot: int, source: int, mangles: tuple[Any, ...]) -> None:
        saved = copy.deepcopy(self.optimizers[source].state_dict())
        for path, how, value in mangles:
            saved = mangled(saved, path, how, self.build(value))
        self.optimizers[slot].load_state_dict(saved)

    def copied(self, slot: int, to: int, how: str) -> None:
        opt = self.optimizers[slot]
        if how == "copy":
            made = copy.copy(opt)
        elif how == "deepcopy":
            made = copy.deepcopy(opt)
        else:
            try:
                text = pickle.dumps(opt)
            except (pickle.PicklingError, TypeError, AttributeError):
                return  # something of the user's in a group
            made = pickle.loads(text)
        self.optimizers[to], self.schedulers[to] = made, None

    def rebind(self, slot: int, params: Any) -> None:
        built = self.build(params)
        self.optimizers[slot].rebind(built)
        self.params[slot] = params

    def replace(self, slot: int, name: Any, array: Any, index: Any) -> None:
        opt, built = self.optimizers[slot], self.build(array)
        opt.replace(name, built, self.build(index))
        params, i = self.params[slot], opt._keys().index(name)
        if not opt._bound and isinstance(params, Many) and isinstance(params.items[i], At):
            # The next update comes with it.
            at = At(params.items[i].slot)
            self.arrays[at.slot] = built
            items = (*params.items[:i], at, *params.items[i + 1 :])
            self.params[slot] = params._replace(items=items)

    def remove(self, slot: int, group: Any) -> None:
        self.optimizers[slot].remove_param_group(group)

    def snapshot(self, slot: int) -> Any:
        """A state dict is of its moment, whatever is stepped later."""
        saved = self.optimizers[slot].state_dict()
        live = self.optimizers[slot].state_dict(copy=False)
        for entry, now in zip(saved["state"].values(), live["state"].values(), strict=True):
            for name, value in arrays_in(entry).items():
                assert not np.shares_memory(value, now[name])
        return len(saved["state"])

    def reset(self, slot: int) -> None:
        self.optimizers[slot].reset()

    def drop(self, slot: int) -> None:
        self.arrays[slot] = None

    def threads(self, n: Any) -> None:
        fs.set_num_threads(n)

    def tier(self, name: Any) -> None:
        _native.set_simd_tier(name)

    def clip(self, name: str, structure: Any, *bound: Any) -> Any:
        return CLIPS[name](self.build(structure), *(self.build(x) for x in bound))

    def schedule(self, slot: int, name: str) -> None:
        self.schedulers[slot] = SCHEDULES[name](self.optimizers[slot])

    def tick(self, slot: int) -> None:
        if self.schedulers[slot] is not None:
            self.schedulers[slot].step()

    def look(self, slot: int) -> Any:
        """Read what users read; nothing of it may fail."""
        opt = self.optimizers[slot]
        return (
            len(repr(opt)) > 0,
            list(opt.state),
            [sorted(entry) for entry in opt.state.values()],
            opt.skipped_steps,
            len(opt.param_groups),
            opt.nonfinite,
        )


def _plain(outcome: Any) -> Any:
    if isinstance(outcome, fs.StepInfo):
        return (outcome.applied, repr(outcome.grad_norm))
    return repr(outcome) if isinstance(outcome, float) else outcome
