"""The NumPy reference against the papers' formulas, computed with 60 digits.

Each step starts from the reference's own numbers, so what is measured is the error of a single
step. The formulas and their bounds are in `formulas/`, their tools in `support/exact.py`.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case, case_of
from ferrostep.backends.reference import update
from formulas import FORMULAS
from support.arrays import Array
from support.exact import exact
from support.first import first_state

DECAYS: dict[str, dict[str, Any]] = {
    "no decay": {"weight_decay": 0.0},
    "coupled": {"weight_decay": 0.1, "decoupled_weight_decay": False},
    "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
}
#: The table, and numbers that make another difference here. What is stored in 16 bits is not
#: measured; that a class has no formula, `test_registry.py` tells.
MEASURED = [case for case in CASES if case.optimizer in FORMULAS]
ACCURACY = [
    *(case for case in MEASURED if "state_dtype" not in case.options),
    case_of(fs.SGD, lr=0.01, momentum=0.9, dampening=0.3, maximize=True),
    case_of(fs.SGD, lr=0.01, momentum=0.8, nesterov=True),
    case_of(fs.AdaptiveGains, lr=0.01, beta=0.3, max_gain=1.2, min_gain=0.8),
    case_of(fs.Rprop, lr=0.01, etas=(0.3, 1.7), step_sizes=(0.005, 0.02)),
    case_of(fs.RMSprop, alpha=0.9, eps=1e-3, initial_accumulator_value=1.0),
    case_of(fs.RMSprop, momentum=0.8, centered=True, eps_inside_sqrt=True),
    case_of(fs.Adadelta, rho=0.8, lr=0.3),
    case_of(fs.Adam, lr=0.01, betas=(0.5, 0.9), eps=1e-3),
    case_of(fs.Adam, lr=0.01, epsilon_hat=True, eps=1e-3),
    case_of(fs.Adam, lr=0.01, epsilon_hat=True, bias_correction=False),
    case_of(fs.Adam, lr=0.01, amsgrad=True, maximize=True),
]


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("case", ACCURACY, ids=lambda case: case.name)
def test_one_step_is_within_a_few_roundings_of_the_formula(
    case: Case, dtype: str, decay: str
) -> None:
    formula = FORMULAS[case.optimizer]
    for seed in range(8):
        of_p, of_state = worst(case, DECAYS[decay], dtype, seed)
        assert of_p <= formula.p
        # Where g + weight_decay*p cancels, a state that follows g has no digits to be measured
        # by.  The rules come after the decay and do not see it, so nothing is missed here.
        if decay != "coupled":
            assert of_state <= formula.state


def worst(case: Case, decay: dict[str, Any], dtype: str, seed: int) -> tuple[float, float]:
    """Return the largest errors in ULP, of a parameter and of a state, in 5 steps of 7 numbers."""
    rng = np.random.default_rng(seed)
    rule, formula = case.optimizer.__name__, FORMULAS[case.optimizer]
    o = case.make(None).defaults | decay | {"of": dtype}
    # Of all sizes, so that in some the rounding of p dominates and in some that of the update.
    p: Array = (rng.normal(size=7) * 10.0 ** np.array([-9, -6, -4, -2, -1, 0, 1])).astype(dtype)
    state = first = first_state(case.optimizer.RULE, o, p)
    of_p = of_state = 0.0
    for t in (1, 2, 3, 10, 11):  # RAdam's formula is another from the sixth step on
        g: Array = (rng.normal(size=7) * 10.0 ** rng.uniform(-3, 2, 7)).astype(dtype)
        p_new, new = update(rule, p, g, state, o, t, set(first) if t == 1 else set())
        olds = [{name: exact(element(x, i)) for name, x in state.items()} for i in range(7)]
        if formula.measured is not None:
            with localcontext(Context(prec=60)):
                elements = [(exact(p[i]), exact(g[i]), old) for i, old in enumerate(olds)]
                o["measured"] = formula.measured(elements, o, t)
        for i, old in enumerate(olds):
            with localcontext(Context(prec=60)):
                want, size, wanted = formula.model(exact(p[i]), exact(g[i]), old, o, t)
                of_p = max(of_p, ulp(p_new[i], want, max(abs(exact(p[i])), size), dtype))
                assert new.keys() == wanted.keys()
                for name, x in new.items():
                    exactly = wanted[name]
                    if not isinstance(exactly, tuple):
                        exactly = exactly, abs(old[name])
                    rounded = isinstance(x, np.ndarray) or formula.of_rounded
                    distance = ulp(element(x, i), *exactly, dtype if rounded else "f8")
                    of_state = max(of_state, distance)
        p, state = p_new, new
    return of_p, of_state


def element(x: Any, i: int) -> Any:
    """An element of a state array; what is remembered is the same for all."""
    return x[i] if isinstance(x, np.ndarray) else x


def ulp(x: Any, want: Decimal, size: Decimal, dtype: str) -> float:
    """Return the distance of ``x`` and ``want`` in ULP of the larger of ``want`` and ``size``."""
    unit = np.spacing(np.array(max(abs(want), size), dtype))
    return float(abs(exact(x) - want) / exact(unit))
