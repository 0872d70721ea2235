"""Checks of hyperparameters: what each returns is a plain Python value of the right type.

An error says what was found and what is allowed, in torch's words where torch has some.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import DTypeLike

Check = Callable[[str, object], Any]

TITLES = {
    "lr": "learning rate",
    "eps": "epsilon value",
    "betas": "beta parameter",
    "etas": "eta values",
}


class CommonOptions(TypedDict, total=False):
    """What every optimizer takes besides its own options."""

    weight_decay: float
    decoupled_weight_decay: bool
    maximize: bool
    flush_subnormals: bool
    state_dtype: DTypeLike | None
    nonfinite: str
    backend: str | None


def invalid(name: str, found: object, wanted: str) -> ValueError:
    return ValueError(f"Invalid {TITLES.get(name, f'{name} value')}: {found!r} ({name} {wanted})")


def _float(value: object) -> float:
    """The value as a float; NaN, which no bound admits, for what is no number."""
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.number):
        return math.nan
    if isinstance(value, np.complexfloating):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an int beyond float64
        return math.nan


def number(low: float, high: float = math.inf, *, upper_open: bool = True) -> Check:
    """A number from ``low`` to ``high``; an open infinite end means finite."""
    if math.isinf(high):
        infinite = "" if not upper_open else "finite "
        bound = f"{infinite}number >= {low:g}" if low > -math.inf else f"{infinite}number"
    else:
        bound = f"number in [{low:g}, {high:g}{')' if upper_open else ']'}"

    def check(name: str, value: object) -> float:
        x = _float(value)
        inside = low <= x and (x < high if upper_open else x <= high)
        if not inside or (math.isinf(x) and x < 0):
            raise invalid(name, value, f"must be a {bound}")
        return x

    return check


non_negative = number(0.0)
finite = number(-math.inf)
upper_bound = number(0.0, upper_open=False)


def flag(name: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool):
        raise invalid(name, value, "must be True or False")
    return bool(value)


def choice(*words: str) -> Check:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise invalid(name, value, f"must be one of {', '.join(map(repr, words))}")
        return value

    return check


def pair(name: str, value: object) -> tuple[float, float]:
    """Two numbers; their bounds are the caller's business."""
    if isinstance(value, tuple | list | np.ndarray) and len(value) == 2:
        first, second = map(_float, value)
        if not (math.isnan(first) or math.isnan(second)):
            return first, second
    raise invalid(name, value, "must be a pair of numbers")


def betas(name: str, value: object) -> tuple[float, float]:
    both = pair(name, value)
    for i, beta in enumerate(both):
        if not 0.0 <= beta < 1.0:
            raise ValueError(
                f"Invalid beta parameter at index {i}: {beta!r} ({name} must be in [0, 1))"
            )
    return both


def ordered(name: str, value: object) -> tuple[float, float]:
    """A range ``0 <= minimum <= maximum``, whose end may be infinite."""
    low, high = pair(name, value)
    if not (0.0 <= low <= high and math.isfinite(low)):
        raise invalid(name, value, "must be (minimum, maximum) with 0 <= minimum <= maximum")
    return low, high


STATE_DTYPES = ("float16", "bfloat16", "float32", "float64")


def state_dtype(name: str, value: object) -> str | None:
    """The name of a dtype that state can be stored in; None for that of the computation."""
    found: object = value
    if value is None:
        return None
    if not isinstance(value, str):
        try:
            found = np.dtype(value).name  # type: ignore[call-overload]
        except (TypeError, ValueError):
            found = None
    if found not in STATE_DTYPES:
        raise invalid(name, value, f"must be None or one of {', '.join(map(repr, STATE_DTYPES))}")
    if found == "bfloat16":
        try:
            import ml_dtypes  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "bfloat16 state needs ml_dtypes: pip install ferrostep[bfloat16]"
            ) from error
    return str(found)


NONFINITE = ("propagate", "raise", "skip")

COMMON: dict[str, Check] = {
    "weight_decay": non_negative,
    "decoupled_weight_decay": flag,
    "maximize": flag,
    "flush_subnormals": flag,
    "state_dtype": state_dtype,
}
