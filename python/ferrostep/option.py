"""An option of a class of optimizers: its check, and a property over all groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from itertools import repeat
from operator import setitem
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from ferrostep.options import Check, Number
from ferrostep.spellings import hint, meant

if TYPE_CHECKING:
    from ferrostep.optimizer import Optimizer

T = TypeVar("T")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Option(Generic[T]):
    """Written in the body of an optimizer class, it gives the class an option of that name.

    Parameters
    ----------
    check
        Takes name and value, and returns the value as a plain one or raises ValueError.
    """

    name: str

    def __init__(self, check: Callable[[str, object], T]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, optimizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, optimizer: Optimizer, owner: type) -> T: ...
    def __get__(self, optimizer: Optimizer | None, owner: type) -> Self | T:
        if optimizer is None:
            return self
        optimizer._group_sizes()  # groups that were edited from outside are refused
        values = [self._value(group) for group in optimizer.param_groups]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"the groups differ in {self.name}: {values!r}; "
                f"read them one by one, param_groups[0][{self.name!r}]"
            )
        return values[0]

    def _value(self, group: Mapping[str, Any]) -> T:
        if self.name not in group:
            raise ValueError(f"the param group has no {self.name!r}")
        return self.check(self.name, group[self.name])

    def __set__(self, optimizer: Optimizer, value: T) -> None:
        optimizer._group_sizes()
        groups, new = optimizer.param_groups, self.check(self.name, value)
        optimizer._check_option(self.name, new)
        # One call of C code: no signal's handler can run between two groups.
        deque(map(setitem, groups, repeat(self.name), repeat(new)), maxlen=0)


def collected(body: Mapping[str, Any]) -> dict[str, Check]:
    """Return the options that a class body writes, with their checks."""
    return {name: value.check for name, value in body.items() if isinstance(value, Option)}


def check_body(cls: type, known: Collection[str]) -> None:
    """Refuse a class body that hides an option behind something that cannot be one."""
    for name, value in vars(cls).items():
        if hasattr(type(value), "__set__"):  # an option, or a property of the user's
            continue
        if name in known:
            raise TypeError(
                f"{cls.__name__}.{name} would hide the option of that name; set it in the "
                "constructor, or check it otherwise: Option(check)"
            )
        if meant(name, known) and not callable(value):
            raise TypeError(f"{cls.__name__}.{name} would not be read{hint(name, known)}")


def numbers(
    checks: Mapping[str, Check], together: frozenset[str] | None
) -> dict[str, tuple[float, float]]:
    """Return the bounds of those numbers that can be judged alone: no `check` reads them."""
    return {
        name: (check.low, check.high)
        for name, check in checks.items()
        if isinstance(check, Number) and together is not None and name not in together
    }


def reads(*names: str) -> Callable[[_Function], _Function]:
    """Say of an `Optimizer.check` which options it looks at: it is called when one has changed.

    One that does not say so is called whenever any option has changed.
    """

    def mark(check: _Function) -> _Function:
        check.reads = frozenset(names)  # type: ignore[attr-defined]
        return check

    return mark


def reads_of(check: Callable[..., Any]) -> frozenset[str] | None:
    """Return what `reads` has said of a check; None if it has said nothing."""
    found: frozenset[str] | None = getattr(check, "reads", None)
    return found
