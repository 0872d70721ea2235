"""What wrappers share: whatever is not theirs is the wrapped optimizer's."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import index, is_
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from ferrostep._native import StepInfo
from ferrostep.averages.arrays import copied
from ferrostep.differences import refuse
from ferrostep.loading import at_once
from ferrostep.optimizer import Optimizer
from ferrostep.partial import LoadReport
from ferrostep.saved import WRAPPERS, check_layout, mapped, unwrapped, wrappers_in
from ferrostep.storable import Storable

if TYPE_CHECKING:
    from threading import _RLock as RLockType

    from ferrostep.typing import Clip, Grads, Measure

#: A step in halves is one of the wrapped optimizer alone.
_HALVES = ("_prepare", "_commit", "_abandon")


class Wrapper(Storable, ABC):
    """An optimizer around another one.

    What it does not say itself is the other's: groups, options, state, parameters. What it keeps
    is an entry of its own in state dicts, checkpoints, pickles and copies.
    """

    def __init__(self, optimizer: Any, *inside: type[Any]) -> None:
        kinds: tuple[type[Any], ...] = (Optimizer, *inside)
        if not isinstance(optimizer, kinds):
            found = type(optimizer).__name__
            if isinstance(optimizer, Wrapper):
                raise TypeError(
                    f"{type(self).__name__} must have an optimizer in it, found {found}; "
                    f"put {type(self).__name__} into {found}"
                )
            raise TypeError(f"optimizer must be one of ferrostep's, found {found}")
        if not optimizer._bound:
            raise ValueError(
                "optimizer must have its parameters, found an unbound one; make it with params"
            )
        vars(self).update(_optimizer=optimizer, _lock=RLock(), _home=os.getpid())

    # What a wrapper adds.

    @abstractmethod
    def step(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Take gradients as `Optimizer.step` does."""

    @abstractmethod
    def _fresh(self) -> dict[str, Any]:
        """Return the attributes of one that has not begun, but for options."""

    @abstractmethod
    def _own(self) -> dict[str, Any]:
        """Return what a state dict has of it, with live arrays."""

    @abstractmethod
    def _own_differences(self, own: Mapping[str, Any]) -> Iterator[str]:
        """Say all that keeps it from taking this over, but for arrays' values."""

    @abstractmethod
    def _read(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes that follow from what fits; arrays are copied."""

    @abstractmethod
    def _fitted(self, own: Mapping[str, Any] | None, report: LoadReport) -> dict[str, Any]:
        """Return what is taken over where the wrapped optimizer takes what fits by name."""

    @abstractmethod
    def _told(self) -> dict[str, Any]:
        """Return the options that `repr` shows."""

    # What it has of the wrapped optimizer.

    @property
    def optimizer(self) -> Any:
        """The optimizer that it is around."""
        return vars(self)["_optimizer"]

    def __getattr__(self, name: str) -> Any:
        if "_optimizer" not in vars(self) or name.startswith("__") or name in _HALVES:
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=self)
        return getattr(self.optimizer, name)

    if not TYPE_CHECKING:

        def __setattr__(self, name, value):
            own = name.startswith("_") or hasattr(type(self), name)
            (super().__setattr__ if own else partial(setattr, self.optimizer))(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.optimizer)} - set(_HALVES))

    def __repr__(self) -> str:
        return f"{self._label()} of {self.optimizer!r}"

    def _repr_html_(self) -> str:
        from ferrostep.markup import paragraph

        return f"{paragraph(f'{self._label()} of')}\n{self.optimizer._repr_html_()}"

    def _label(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self._told().items())
        return f"{type(self).__name__}({told})"

    def reset(self) -> None:
        """Forget all state, as `Optimizer.reset` does, and what is kept beside it."""
        with self._alone():
            at_once([self.optimizer.reset, self._then(**self._fresh())])()

    # State.

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return the wrapped optimizer's state dict, with an entry "wrappers" for what it lacks."""
        with self._alone():
            saved = self.optimizer.state_dict(copy=copy)
            own = {"class": type(self).__name__, **self._own()}
            own = mapped(copied, own) if copy else own
        return {**saved, WRAPPERS: [own, *wrappers_in(saved)]}

    def _differences(self, state_dict: Mapping[str, Any]) -> Iterator[str]:
        found = wrappers_in(state_dict)
        kind = type(self).__name__
        if not found or found[0].get("class") != kind:
            named = [own.get("class") for own in found]
            remedy = "" if named else "; load it into what is wrapped, its `optimizer`"
            yield f"the state dict has the wrappers {named!r:.200}, wanted {kind!r} first{remedy}"
            return
        yield from self._own_differences(found[0])
        yield from self.optimizer._differences(unwrapped(state_dict))

    def _plan_load(self, state_dict: Mapping[str, Any]) -> Callable[[], object]:
        check_layout(state_dict)
        refuse(self._differences(state_dict))
        inner = self.optimizer._plan_load(unwrapped(state_dict))
        own = self._read(wrappers_in(state_dict)[0])
        return at_once([inner, self._then(**own)])

    def _fit(
        self, state_dict: Mapping[str, Any], saved_shapes: list[tuple[int, ...]] | None
    ) -> tuple[dict[str, Any], LoadReport]:
        check_layout(state_dict)
        found = wrappers_in(state_dict)
        same = bool(found) and found[0].get("class") == type(self).__name__
        if same:
            state_dict = unwrapped(state_dict)
        fitted, report = self.optimizer._fit(state_dict, saved_shapes)
        own = self._fitted(found[0] if same else None, report)
        own = {"class": type(self).__name__, **own}
        return {**fitted, WRAPPERS: [own, *wrappers_in(fitted)]}, report

    def _alone(self) -> RLockType:
        """Return the lock, with which threads take turns."""
        if self._home != os.getpid():  # another thread may have had it when the process was forked
            vars(self).update(_lock=RLock(), _home=os.getpid())
        lock: RLockType = self._lock
        return lock

    def _then(self, **attributes: Any) -> Callable[[], None]:
        """Return what sets them, without Python code."""
        return partial(vars(self).update, attributes)

    def __getstate__(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer, "own": self._own()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        vars(self).update(_optimizer=saved["optimizer"], _lock=RLock(), _home=os.getpid())
        vars(self).update(self._read(saved["own"]))

    def __copy__(self) -> Self:
        """Return one of the same parameters with options and state of its own."""
        from copy import copy

        copied = type(self).__new__(type(self))
        copied.__setstate__({"optimizer": copy(self.optimizer), "own": self._own()})
        return copied

    # What is in the order of the parameters.

    def _pairs(self, arrays: list[Any]) -> Iterator[Any]:
        """Return arrays as another optimizer takes them by the same names."""
        names = self.optimizer._names
        return iter(arrays if names is None else zip(names, arrays, strict=True))

    def _named(self, values: list[Any]) -> Any:
        """Return values in the order of the parameters as the wrapped optimizer takes them."""
        names = self.optimizer._names
        return values if names is None else dict(zip(names, values, strict=True))


def are_same(found: list[Any], known: list[Any]) -> bool:
    """Whether these are the very same objects."""
    return len(found) == len(known) and all(map(is_, found, known))


def count(name: str, value: Any) -> int:
    """Return a number of steps."""
    try:
        found = 0 if isinstance(value, bool) else index(value)
    except TypeError:
        found = 0
    if found < 1:
        raise ValueError(f"{name} must be an integer >= 1, found {value!r}")
    return found


def layout_differences(what: str, key: int | str, found: Any, p: Any) -> Iterator[str]:
    """Say if an array that is kept beside a parameter has another shape or type than it must."""
    dtype = "float64" if p.dtype.itemsize == 8 else "float32"
    shape, name = (
        getattr(found, "shape", None),
        getattr(getattr(found, "dtype", None), "name", None),
    )
    if (shape, name) != (p.shape, dtype):
        yield (
            f"the {what} of parameter {key!r} has shape {shape} and dtype {name}, wanted {p.shape} "
            f"and {dtype}"
        )
