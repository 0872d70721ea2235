"""torch's recorded runs, replayed on anything that steps.

Our numbers and torch's cannot agree to the bit, because torch's CPU kernels fuse a multiplication
into the addition that follows it.  Worked out with exact fractions, the recorded numbers are
``fma(-lr, d, p)`` for SGD's parameter, ``fma(1 - beta1, g - m, m)`` for Adam's first moment and
``fma((1 - beta2)*g, g, beta2*v)`` for its second.  So the distance is measured, in ULP, and held
below the bound of the class.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cases import CLASSES
from support.arrays import Array

Case = dict[str, Any]

VECTORS = Path(__file__).parents[1] / "vectors"
CASES: list[Case] = json.loads((VECTORS / "torch.json").read_text())["cases"]
#: The file has more of torch's optimizers than we: one that is added is compared at once.
KNOWN = [case for case in CASES if case["optimizer"] in {cls.__name__ for cls in CLASSES}]

#: For a class, how many cases the file holds, so that none can be left out in silence, and the
#: largest distance that was found, rounded up to whole ULP, over both types and all steps. Errors
#: of p add up over the 12 steps; "state" is the worst of the final state arrays.
BOUNDS: dict[str, dict[str, Any]] = json.loads((VECTORS / "torch-bounds.json").read_text())


class Stepper(Protocol):
    """An optimizer that holds its parameters."""

    def step(self, gradients: Sequence[Array | None], lr: float) -> Sequence[Array]:
        """Make one step and return the parameters."""

    def state(self, i: int) -> Mapping[str, Any]:
        """Return the state of parameter ``i``: its arrays, and its count of steps as "step"."""


def replay(
    case: Case, start: Callable[[str, Mapping[str, Any], list[Array]], Stepper]
) -> dict[str, float]:
    """Run a recorded case; return the largest distance in ULP of "p" and of each state array."""

    def array(values: Any) -> Array:
        return np.array(values, case["dtype"])

    def shown(state: Mapping[str, Any]) -> Mapping[str, Array]:
        """State without its count; torch keeps what a rule remembers in the type of the case."""
        rest = {name: x for name, x in state.items() if name != "step"}
        return {name: array(x) if isinstance(x, float) else x for name, x in rest.items()}

    now = [array(p) for p in case["initial"]]
    largest: list[dict[str, Array]] = [{"p": abs(p)} for p in now]
    worst: dict[str, float] = {"p": 0.0}
    optimizer = start(case["optimizer"], case["options"], now)
    recorded = zip(
        case["gradients"],
        case["learning_rates"],
        case["parameters_after_each_step"],
        strict=True,
    )
    for gradients, lr, wanted in recorded:
        now = [*optimizer.step([None if g is None else array(g) for g in gradients], lr)]
        for i, (p, want) in enumerate(zip(now, wanted, strict=True)):
            for name, x in {"p": p, **shown(optimizer.state(i))}.items():
                largest[i][name] = np.fmax(largest[i].get(name, 0), abs(x))
            worst["p"] = max(worst["p"], distance(p, array(want), largest[i]["p"]))
    for i, final in enumerate(case["final_state"]):
        state = optimizer.state(i)
        for name, want in final.items():
            if name == "step":
                assert state["step"] == want
            else:
                error = distance(shown(state)[name], array(want), largest[i][name])
                worst[name] = max(worst.get(name, 0.0), error)
    return worst


def distance(a: Array, b: Array, largest: Array) -> float:
    """Return the largest difference of ``a`` and ``b``, in ULP.

    The unit is the spacing of floating-point numbers at the largest magnitude that the element
    has had up to this step.  A rounding error made while a value was large stays in it; when the
    value later passes close to 0, the error is many ULP of what is left and no worse than before.
    """
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    unit = np.spacing(np.maximum(np.maximum(abs(a), abs(b)), largest))
    return float(np.max(abs(a - b) / unit))


def title(case: Case) -> str:
    options = (f"{name}={value}" for name, value in case["options"].items() if name != "lr")
    return "-".join([case["optimizer"], case["dtype"], *options])


def bound_of(optimizer: str, what: str) -> float:
    """A class that has no bounds of its own yet is held to the widest that another needs."""
    known = BOUNDS.get(optimizer)
    return known[what] if known else max(bounds[what] for bounds in BOUNDS.values())


def check(case: Case, worst: Mapping[str, float]) -> None:
    """Hold what ``replay`` found against the bounds of the rule."""
    for name, error in worst.items():
        bound = bound_of(case["optimizer"], "p" if name == "p" else "state")
        assert error <= bound, f"{name}: {error} ULP from torch, bound {bound}"
