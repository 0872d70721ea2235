"""Types of options: each with its check, which returns a plain Python value of that type.

An error says what was found and what is allowed, in torch's words where torch has some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple, get_args

import numpy as np

from ferrostep import typing as types
from ferrostep.settings import Settings

Check = Callable[[str, object], Any]

TITLES = {
    "lr": "learning rate",
    "eps": "epsilon value",
    "betas": "beta parameter",
    "etas": "eta values",
}


def invalid(name: str, found: object, wanted: str) -> ValueError:
    shown = repr(found)
    if isinstance(found, np.ndarray) and found.size > 1:
        shown = f"an array of shape {found.shape}"
        if name == "lr":
            wanted += "; all parameters come in one list: [W, b]"
    return ValueError(f"Invalid {TITLES.get(name, f'{name} value')}: {shown} ({name} {wanted})")


def _scalar(value: object) -> object:
    """What a 0-d array holds; anything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _float(value: object) -> float:
    """The value as a float; NaN, which no bound admits, for what is no number."""
    if type(value) is float:  # nearly always
        return value
    value = _scalar(value)
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.number):
        return math.nan
    if isinstance(value, np.complexfloating | np.timedelta64):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an int beyond float64
        return math.nan


class Number(NamedTuple):
    """A number from `low` to `high`, both included.

    Both are data, so that the core can look at a number that has changed without asking Python.
    """

    low: float
    high: float
    wanted: str

    def __call__(self, name: str, value: object) -> float:
        x = _float(value)
        if not self.low <= x <= self.high:
            raise invalid(name, value, f"must be a {self.wanted}")
        return x


def number(low: float, high: float = math.inf, *, upper_open: bool = True) -> Number:
    """A number from ``low`` to ``high``; an open infinite end means finite."""
    if math.isinf(high):
        infinite = "" if not upper_open else "finite "
        wanted = f"{infinite}number >= {low:g}" if low > -math.inf else f"{infinite}number"
    else:
        wanted = f"number in [{low:g}, {high:g}{')' if upper_open else ']'}"
    low = low if low > -math.inf else math.nextafter(low, 0.0)
    return Number(low, math.nextafter(high, 0.0) if upper_open else high, wanted)


non_negative = number(0.0)
positive = Number(math.ulp(0.0), math.nextafter(math.inf, 0.0), "finite number > 0")
within = Number(math.ulp(0.0), math.nextafter(1.0, 0.0), "number in (0, 1)")
finite = number(-math.inf)
not_positive = Number(math.nextafter(-math.inf, 0.0), 0.0, "finite number <= 0")
upper_bound = number(0.0, upper_open=False)

NonNegative = Annotated[float, non_negative]
Rate = NonNegative


def optional(check: Number) -> Callable[[str, object], float | None]:
    """A number, or None for what is not asked for."""
    or_none = check._replace(wanted=f"{check.wanted}, or None")

    def look(name: str, value: object) -> float | None:
        return None if value is None else or_none(name, value)

    return look


def flag(name: str, value: object) -> bool:
    found = _scalar(value)
    if not isinstance(found, bool | np.bool):
        raise invalid(name, value, "must be True or False")
    return bool(found)


def choice(*words: str) -> Callable[[str, object], str]:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise invalid(name, value, f"must be one of {', '.join(map(repr, words))}")
        return str(value)

    return check


def _numbers(name: str, value: object, count: int, wanted: str) -> list[float]:
    """So many numbers; their bounds are the caller's business."""
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim == 1):
        numbers = [_float(item) for item in value]
        if len(numbers) == count and not any(map(math.isnan, numbers)):
            return numbers
    raise invalid(name, value, f"must be {wanted}")


def pair(name: str, value: object) -> tuple[float, float]:
    """Two numbers; their bounds are the caller's business."""
    first, second = _numbers(name, value, 2, "a pair of numbers")
    return first, second


def _in_bounds(name: str, rates: Iterable[float]) -> None:
    for i, beta in enumerate(rates):
        if not 0.0 <= beta < 1.0:
            raise ValueError(
                f"Invalid beta parameter at index {i}: {beta!r} ({name} must be in [0, 1))"
            )


def decay_rates(name: str, value: object) -> tuple[float, float]:
    both = pair(name, value)
    _in_bounds(name, both)
    return both


def three_decay_rates(name: str, value: object) -> tuple[float, float, float]:
    first, second, third = _numbers(name, value, 3, "three numbers")
    _in_bounds(name, (first, second, third))
    return first, second, third


def floors(name: str, value: object) -> tuple[float | None, float]:
    """What two numbers are at least; None for the first has a meaning that the class tells."""
    first: float | None = 0.0
    if isinstance(value, tuple | list) and len(value) == 2 and value[0] is None:
        first, value = None, (0.0, value[1])
    both = pair(name, value)
    if not (both[0] >= 0 <= both[1] and max(both) < math.inf):
        raise invalid(name, value, "must be two finite numbers >= 0, or None and one")
    return None if first is None else both[0], both[1]


def ordered(name: str, value: object) -> tuple[float, float]:
    """A range ``0 <= minimum <= maximum``, whose end may be infinite."""
    low, high = pair(name, value)
    if not (0.0 <= low <= high and math.isfinite(low)):
        raise invalid(name, value, "must be (minimum, maximum) with 0 <= minimum <= maximum")
    return low, high


def check_nesterov(options: dict[str, Any]) -> None:
    """Refuse a look-ahead that has nothing to look ahead with."""
    if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
        raise ValueError(
            "Nesterov momentum requires a momentum and zero dampening, found "
            f"momentum={options['momentum']!r} and dampening={options['dampening']!r}"
        )


def shrink_and_grow(name: str, value: object) -> tuple[float, float]:
    """Two factors, one below 1 and one above."""
    shrink, grow = pair(name, value)
    if not 0.0 < shrink < 1.0 < grow < math.inf:
        raise ValueError(
            f"Invalid eta values: {shrink}, {grow} ({name} must be 0 < {name}[0] < 1 < {name}[1])"
        )
    return shrink, grow


STATE_DTYPES: tuple[str, ...] = get_args(types.StateWord)


def stored_dtype(name: str, value: object) -> str | None:
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
                "bfloat16 state needs ml_dtypes; pip install ferrostep[bfloat16]"
            ) from error
    return str(found)


StateDtype = Annotated[types.StateDtype, stored_dtype]

NONFINITE: tuple[str, ...] = get_args(types.NonFinite)
_nonfinite, _backend = choice(*NONFINITE), choice(*get_args(types.Backend))
_missing = choice(*get_args(types.Missing))


def read_settings(nonfinite: Any, backend: Any, state_factory: Any, missing: Any) -> Settings:
    """Return what an optimizer goes by as a whole, checked."""
    if state_factory is not None and not callable(state_factory):
        raise TypeError(f"state_factory must be callable or None, found {state_factory!r}")
    nonfinite, missing = _nonfinite("nonfinite", nonfinite), _missing("missing", missing)
    backend = None if backend is None else _backend("backend", backend)
    if backend != "reference":
        return Settings(nonfinite, backend, None, state_factory, missing)
    from ferrostep.backends import reference

    return Settings(nonfinite, backend, reference, state_factory, missing)


_clip = choice(*get_args(types.Clip))
_measure = choice(*get_args(types.Measure))


def read_scaling(
    grad_scale: object, max_norm: object, clip: object, measure: object
) -> tuple[float, float | None, bool, bool | None]:
    """Return a step's factor, what a norm may be, and whether it is that of each gradient.

    And whether moves are measured of each parameter; None where they are not.
    """
    scale = 1.0 if grad_scale is None else finite("grad_scale", grad_scale)
    if scale == 0:
        raise invalid("grad_scale", grad_scale, "must not be 0")
    bound = None if max_norm is None else upper_bound("max_norm", max_norm)
    measured = None if measure is None else _measure("measure", measure) == "parameter"
    return scale, bound, _clip("clip", clip) == "parameter", measured
