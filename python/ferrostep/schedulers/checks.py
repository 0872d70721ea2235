"""What a scheduler needs of an optimizer, and the checks of its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Protocol


class Optimizer(Protocol):
    """What a scheduler needs of an optimizer (`OneCycleLR` also reads ``defaults``)."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...


Bound = tuple[str, Callable[[float], bool]]  # what is wanted, in words and as a test

FINITE: Bound = ("a finite number", lambda x: True)
NOT_NEGATIVE: Bound = ("a finite number >= 0", lambda x: x >= 0)
POSITIVE: Bound = ("a finite number > 0", lambda x: x > 0)
UP_TO_ONE: Bound = ("a number in [0, 1]", lambda x: 0 <= x <= 1)
BELOW_ONE: Bound = ("a number in [0, 1)", lambda x: 0 <= x < 1)
FRACTION: Bound = ("a number in (0, 1]", lambda x: 0 < x <= 1)


def real(name: str, value: Any, bound: Bound = NOT_NEGATIVE) -> float:
    wanted, test = bound
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)  # a NumPy scalar must not spread through the rates
        if math.isfinite(number) and test(number):
            return number
    raise ValueError(f"{name} must be {wanted}, found {value!r}")


def integer(name: str, value: Any, low: int) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low:
        return int(value)
    raise ValueError(f"{name} must be an integer >= {low}, found {value!r}")


def one_of(name: str, value: Any, *wanted: str) -> str:
    if isinstance(value, str) and value in wanted:
        return value
    raise ValueError(f"{name} must be {' or '.join(map(repr, wanted))}, found {value!r}")


def mapping(state_dict: Any) -> dict[str, Any]:
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict must be a dict, found {type(state_dict).__name__}")
    return dict(state_dict)


def param_groups(optimizer: Any) -> list[dict[str, Any]]:
    groups = getattr(optimizer, "param_groups", None)
    if isinstance(groups, list) and all(isinstance(g, dict) and "lr" in g for g in groups):
        return groups
    raise TypeError(
        "optimizer must have param_groups, a list of dicts with an 'lr' each, "
        f"found {type(optimizer).__name__}"
    )


def per_group(name: str, value: Any, optimizer: Any, bound: Bound = NOT_NEGATIVE) -> list[float]:
    count = len(param_groups(optimizer))
    if not isinstance(value, (list, tuple)):
        return [real(name, value, bound)] * count
    check_count(name, "values", len(value), count)
    return [real(f"{name}[{i}]", x, bound) for i, x in enumerate(value)]


def check_count(name: str, what: str, found: int, wanted: int) -> None:
    """Refuse other than one for each group."""
    if found != wanted:
        raise ValueError(f"{name} has {found} {what}, wanted {wanted}: one for each group")


def require(optimizer: Any, *keys: str) -> None:
    for i, group in enumerate(param_groups(optimizer)):
        for key in keys:
            if key not in group:
                raise ValueError(
                    f"param_groups[{i}] has no {key!r}, which a resumed scheduler needs; "
                    "load the optimizer's state first, or start with last_epoch=-1"
                )
