"""Options of a class of optimizers, as properties of the optimizer."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from itertools import repeat
from operator import setitem
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    Protocol,
    Self,
    TypeVar,
    get_args,
    get_origin,
    overload,
)

from ferrostep.annotations import annotations_of
from ferrostep.groups import missing
from ferrostep.options import Check, choice, flag
from ferrostep.schema import REQUIRED, Field, Schema
from ferrostep.settings import Settings

T = TypeVar("T")
_Function = TypeVar("_Function", bound=Callable[..., Any])


if TYPE_CHECKING:

    class HasOptions(Protocol):
        """What an option needs of the optimizer that has it."""

        @property
        def param_groups(self) -> list[dict[str, Any]]: ...
        @property
        def _settings(self) -> Settings: ...
        @classmethod
        def _schema(cls) -> Schema: ...
        def _group_sizes(self) -> list[int]: ...
        def _set_number(self, name: str, value: Any, /) -> bool: ...
        def _check_option(self, name: str, value: Any) -> None: ...
        def _choose(self, **changed: Any) -> None: ...


class Option(Generic[T]):
    """An option in the body of an optimizer class: a property over all groups.

    ``lr: Rate = 1e-3`` makes one of what it says. Written out, it gives an option that a base class
    has another check: ``lr = Option(number(0, 0.5))``.

    Parameters
    ----------
    check
        Takes name and value, and returns the value as a plain one or raises ValueError.
    """

    name: str
    _owner: type

    def __init__(
        self, check: Callable[[str, object], T] | None = None, default: Any = REQUIRED
    ) -> None:
        self._check = check
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self._owner = name, owner

    def field(self, inherited: Field | None) -> Field:
        """Return what the body says, and for the rest what the class inherits."""
        known = inherited or Field(Any, REQUIRED, None)
        if self._check is not None:
            default = known.default if self._default is REQUIRED else self._default
            return known._replace(check=self._check, default=default)
        annotation = self._annotation()
        plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        check = self._check_in(annotation) or known.check
        if check is None:
            raise TypeError(
                f"{self._owner.__name__}.{self.name} must be a bool, a Literal or "
                f"Annotated[type, check], found {annotation!r}; what is no option is a ClassVar"
            )
        return Field(plain, self._default, check)

    def _annotation(self) -> Any:
        """Return the annotation in the body; as text, it is read now and not at the import."""
        found = annotations_of(self._owner)[self.name]
        if not isinstance(found, str):
            return found
        module = sys.modules.get(self._owner.__module__)
        try:
            return eval(found, vars(module) if module else {})
        except NameError as error:
            raise TypeError(
                f"the annotation {found!r} of {self._owner.__name__}.{self.name} cannot be read "
                f"in its module ({error}); give the option a check: Option(check)"
            ) from error

    @staticmethod
    def _check_in(annotation: Any) -> Check | None:
        """Return the check that a type has with it."""
        if annotation is bool:
            return flag
        if get_origin(annotation) is Literal:
            return choice(*get_args(annotation))
        if get_origin(annotation) is Annotated:
            return next(filter(callable, annotation.__metadata__), None)
        return None

    @overload
    def __get__(self, optimizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, optimizer: HasOptions, owner: type) -> T: ...
    def __get__(self, optimizer: HasOptions | None, owner: type) -> Self | T:
        if optimizer is None:
            return self
        optimizer._group_sizes()  # groups that were edited from outside are refused
        check = optimizer._schema().checks[self.name]
        values = [check(self.name, self._value(group)) for group in optimizer.param_groups]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"the groups differ in {self.name}: {values!r}; "
                f"read them one by one, param_groups[0][{self.name!r}]"
            )
        first: T = values[0]
        return first

    def _value(self, group: Mapping[str, Any]) -> Any:
        if self.name not in group:
            raise missing(self.name)
        return group[self.name]

    def __set__(self, optimizer: HasOptions, value: T) -> None:
        if optimizer._set_number(self.name, value):  # nearly always: a rate that changes
            return
        optimizer._group_sizes()
        groups, name = optimizer.param_groups, self.name
        new = optimizer._schema().checks[name](name, value)
        optimizer._check_option(name, new)
        if len(groups) == 1:
            groups[0][name] = new
        else:  # one call of C code: no signal's handler can run between two groups
            deque(map(setitem, groups, repeat(name), repeat(new)), maxlen=0)


class Setting(Option[Any]):
    """An option that no group has, but the optimizer as a whole; `read_settings` checks it."""

    def field(self, inherited: Field | None) -> Field:
        return Field(self._annotation(), self._default, None)

    def __get__(self, optimizer: HasOptions | None, owner: type) -> Any:
        return self if optimizer is None else getattr(optimizer._settings, self.name)

    def __set__(self, optimizer: HasOptions, value: Any) -> None:
        optimizer._choose(**{self.name: value})


def reads(*names: str) -> Callable[[_Function], _Function]:
    """Say of an `Optimizer.check` which options it looks at: it is called when one has changed.

    What the checks of base classes look at is added. One that does not say so is called whenever
    any option has changed.
    """

    def mark(check: _Function) -> _Function:
        check.reads = frozenset(names)  # type: ignore[attr-defined]
        return check

    return mark
