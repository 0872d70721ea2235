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
    #: Numbers that are state like the step count.
    memory: tuple[str, ...]
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
