"""Powers, `exp` and `log` of scalars: less than 1 ULP from mpmath's values."""

from __future__ import annotations

import random
from collections.abc import Callable

import mpmath
import pytest

from ferrostep._native import exp, log, real_power

mpmath.mp.prec = 200

RANDOM = random.Random(1)
POSITIVE = [2.0 ** RANDOM.uniform(-1074, 1023) for _ in range(300)]
COUNTS = [float(RANDOM.randrange(1, 10**9)) for _ in range(300)]
SMALL = [RANDOM.uniform(-0.5, 2) for _ in range(300)]
POWERS = [
    *((0.96, t * 0.004) for t in COUNTS),
    *((t, RANDOM.uniform(-1, 1)) for t in COUNTS),
    *((1 + 1e-4 * x, 0.75) for x in SMALL),
    *((1 + 1e-7 * x, RANDOM.uniform(-1e8, 1e8)) for x in SMALL),
    *((x, RANDOM.uniform(-1, 1)) for x in POSITIVE),
]


def off(found: float, exact: mpmath.mpf) -> float:
    """The distance in units of the last place that the exact value has in float64."""
    _, exponent = mpmath.frexp(exact)
    return float(abs(found - exact) / mpmath.mpf(2) ** max(int(exponent) - 53, -1074))


@pytest.mark.parametrize(
    ("ours", "exact", "arguments"),
    [
        (real_power, lambda x, y: mpmath.mpf(x) ** mpmath.mpf(y), POWERS),
        (exp, mpmath.exp, [(x,) for x in SMALL + [350 * x for x in SMALL]]),
        (log, mpmath.log, [(x,) for x in POSITIVE + COUNTS + [1 + 0.1 * x for x in SMALL]]),
    ],
)
def test_less_than_one_unit_in_the_last_place(
    ours: Callable[..., float],
    exact: Callable[..., mpmath.mpf],
    arguments: list[tuple[float, ...]],
) -> None:
    for these in arguments:
        assert off(ours(*these), exact(*these)) < 1, these
