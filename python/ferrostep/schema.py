"""A class of optimizers as data: for code that reads its options and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from types import MappingProxyType
from typing import Any, NamedTuple

from ferrostep.groups import check_keys, missing
from ferrostep.options import Check, Number

_NOTHING: Mapping[str, Any] = MappingProxyType({})
#: The default of an option that has none.
REQUIRED: Any = Parameter.empty


class Field(NamedTuple):
    """One option: its type and default for signatures, its check where groups have it."""

    type: Any
    default: Any
    check: Check | None


class Schema(NamedTuple):
    """What a class has said of itself in its body and its bases'."""

    name: str
    rule: str
    #: The class's own options first, and then those that every class has.
    fields: Mapping[str, Field]
    #: Of these the defaults, and the checks of those that a group has.
    defaults: Mapping[str, Any]
    checks: Mapping[str, Check]
    #: State arrays that a stepped parameter always has, and those that depend on options.
    states: tuple[str, ...]
    optional_states: tuple[str, ...]
    #: Those of a parameter of two dimensions or more, in place of these: of rows and of columns.
    factors: tuple[()] | tuple[str, str]
    #: Numbers that are state like the step count.
    memory: tuple[str, ...]
    #: Whether these are of the model: the same for all parameters of a group.
    whole_model: bool
    #: Looks at the options together, at those in `together` alone; None: nobody knows.
    check: Callable[[dict[str, Any]], None]
    together: frozenset[str] | None

    def read(self, given: Mapping[str, Any], known: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
        """Return a group's options as plain Python values: `given` checked, the rest `known`."""
        check_keys(given, self.checks, self.name)
        options = {}
        for name, check in self.checks.items():
            if name in given:
                options[name] = check(name, given[name])
            elif name in known:
                options[name] = known[name]
            else:
                raise missing(name)
        self.check(options)
        return options

    def arrays(self) -> tuple[str, ...]:
        """Return the names of all state arrays that there may be."""
        return (*self.states, *self.optional_states, *self.factors)

    def arrays_of(self, ndim: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the state arrays that a stepped parameter has, and all that it may have."""
        if not self.factors:
            return self.states, self.arrays()
        if ndim is None:  # nobody knows yet
            return (), self.arrays()
        own = self.states if ndim < 2 else self.factors
        return own, own

    def state_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a state array beside a parameter of this one."""
        if len(shape) < 2 or name not in self.factors:
            return shape
        *outer, rows, columns = shape
        if [*self.factors].index(name) == 0:
            return (*outer, rows, min(columns, 1))
        return (*outer, min(rows, 1), columns)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Return the bounds of those numbers that can be judged alone: no `check` reads them."""
        return {
            name: (check.low, check.high)
            for name, check in self.checks.items()
            if isinstance(check, Number) and not self.reads(name)
        }

    def reads(self, name: str) -> bool:
        """Whether `check` looks at this option."""
        return self.together is None or name in self.together
