"""Figures in words, the same in the terminal and on the page."""

from __future__ import annotations

from benchmarks.goals import Goal, Reached
from benchmarks.results import Found

#: Factor to a second, and the unit, smallest first.
UNITS = [(1e9, "ns"), (1e6, "us"), (1e3, "ms"), (1.0, "s")]


def _unit(value: float, unit: str) -> tuple[float, str]:
    if unit == "bytes":
        return 1 / 1024, "KiB"
    return next((u for u in UNITS if value * u[0] < 999.5), UNITS[-1])


def amount(value: float | None, unit: str) -> str:
    """Three digits and a unit that keeps them before the point."""
    if value is None:
        return ""
    factor, name = _unit(value, unit)
    return f"{_digits(value * factor)} {name}"


def spread(line: Found) -> str:
    """The quartiles, in the unit of the median."""
    if line.median is None or line.low is None or line.high is None or line.samples < 2:
        return ""
    factor, _ = _unit(line.median, line.unit)
    return f"{_digits(line.low * factor)} to {_digits(line.high * factor)}"


def _digits(number: float) -> str:
    if number >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def times(value: float | None, against: float | None) -> str:
    """How many times `against` is in `value`."""
    return "" if not value or not against else f"{_digits(value / against)}x"


def goal_text(goal: Goal) -> str:
    return f"{goal.of} against {' or '.join(goal.against)}"


def ratio_text(one: Reached) -> str:
    return "" if one.ratio is None else f"{one.ratio:.2f}"
