"""The NumPy reference against torch: 12 recorded steps of torch.optim for each set of options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import ferrostep as fs
from ferrostep.backends.reference import update
from support.arrays import Array
from support.first import first_state
from support.recorded import BOUNDS, KNOWN, Case, check, replay, title


class Reference:
    """The reference as an optimizer: makes a parameter's state at its first step."""

    def __init__(self, name: str, options: Mapping[str, Any], parameters: Sequence[Array]) -> None:
        self.optimizer = getattr(fs, name)
        # Whole, because torch's record names only those that differ from torch's.
        self.options = dict(self.optimizer(**options).defaults)
        self.parameters = list(parameters)
        self.states: list[dict[str, Array]] = [{} for _ in parameters]
        self.steps = [0] * len(self.parameters)

    def step(self, gradients: Sequence[Array | None], lr: float) -> Sequence[Array]:
        self.options["lr"] = lr
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            if g is None:
                continue
            first = first_state(self.optimizer.RULE, self.options, p)
            missing = first.keys() - self.states[i].keys()
            state = first | self.states[i]
            self.steps[i] += 1
            self.parameters[i], self.states[i] = update(
                self.optimizer.__name__, p, g, state, self.options, self.steps[i], missing
            )
        return self.parameters

    def state(self, i: int) -> Mapping[str, Any]:
        return {"step": self.steps[i], **self.states[i]}


def test_every_recorded_case_is_run() -> None:
    found = Counter(case["optimizer"] for case in KNOWN)
    known = {name: bounds["cases"] for name, bounds in BOUNDS.items()}
    # A class that torch has too may come without bounds of its own; no other row may be missing.
    assert {name: found[name] for name in known} == known
    assert sum(known.values()) >= 48
    assert {"SGD", "Adam", "Rprop", "Adadelta"} <= set(known)


@pytest.mark.parametrize("case", KNOWN, ids=title)
def test_reference_agrees_with_torch(case: Case) -> None:
    check(case, replay(case, Reference))
