"""The ratios to reach, and which are: one table."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.cases import TORCH
from benchmarks.results import CaseFound, Run


@dataclass(frozen=True)
class Goal:
    """`of` must be this many times as fast (or small) as the best of `against`."""

    case: str
    against: tuple[str, ...]
    ratio: float
    of: str = "ferrostep"


@dataclass(frozen=True)
class Reached:
    goal: Goal
    #: None where a figure is missing, or was not taken in this run.
    ratio: float | None
    #: Whether memory or an option made the case smaller: then the goal says nothing.
    smaller: bool

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return "not measured"
        if self.smaller:
            return "smaller"
        return "reached" if self.ratio >= self.goal.ratio else "short"


ADAM, RMSPROP = "Adam 1 x 100,000,000", "RMSprop 1 x 100,000,000"
MOMENTUM = "Momentum 1 x 100,000,000"
CLIPPED = "Adam clipped by norm 1 x 100,000,000"
FLOOR, FUSED = ("floor",), ("torch fused",)

GOALS = [
    *(Goal(case, FLOOR, 0.95) for case in (ADAM, RMSPROP, MOMENTUM, CLIPPED)),
    Goal(ADAM, FUSED, 1.0),
    Goal(ADAM, ("NumPy",), 15),
    Goal(RMSPROP, TORCH, 5),
    Goal("Adam 10 x 100", FUSED, 50),
    Goal("Adam 10 x 100", ("NumPy",), 60),
    Goal("Adam 10 x 100,000", FUSED, 1.3),
    Goal("Adam 10 x 100,000", ("numba",), 1.0),
    Goal("Adam 1,000 x 1,000", FUSED, 8),
    Goal("Adam 1,000 x 1,000", ("one array of that size",), 1 / 1.2),
    Goal(CLIPPED, TORCH, 1.2),
    Goal("Adam, state 1 x 100,000,000", ("ferrostep",), 1.3, of="bfloat16 state"),
    Goal("Adam, layouts 1 x 10,000,000", ("contiguous",), 0.95, of="Fortran"),
    Goal("Adam, layouts 1 x 10,000,000", ("contiguous",), 0.5, of="Fortran gradient"),
    *(
        Goal(f"{name}, 64 rows of 10,000 x 100", ("NumPy, rows",), 5)
        for name in ("Adagrad", "Adam", "SparseAdam")
    ),
    *(
        Goal(f"{name} float32 1 x 100,000,000", ("floor, 2 threads",), 0.9, "ferrostep, 2 threads")
        for name in ("LAMB", "LARS", "NovoGrad", "StableAdamW", "Prodigy", "Adafactor")
    ),
    Goal("Muon 1,024 x 1,024 float32", ("NumPy, matrices",), 0.4),
    Goal("AdamW in torch 10 x 100", (*FUSED, "torch fused, 1 thread"), 10),
    Goal("AdamW in torch 10 x 100", ("torch", "torch, 1 thread"), 30),
    Goal("AdamW in torch 200 x 2,500", (*FUSED, "torch fused, 1 thread"), 3),
    Goal("AdamW in torch 1,000 x 1,000", (*FUSED, "torch fused, 1 thread"), 5),
    Goal("AdamW in torch 1 x 100,000,000", FUSED, 1.0),
    *(
        Goal(f"{name} in torch 1 x 100,000,000", TORCH, 4)
        for name in ("RMSprop", "Adadelta", "Rprop")
    ),
    Goal("Adam, memory 1 x 100,000,000", ("allowed",), 1.0),
    Goal("Adam clipped, memory 1 x 100,000,000", ("allowed",), 1.0),
    Goal("Adam, threads 1 x 200,000", ("ferrostep, 1 thread",), 1.8, of="ferrostep, 2 threads"),
]


def _ratio(case: CaseFound, goal: Goal) -> float | None:
    ours = case.median(goal.of)
    theirs = [found for label in goal.against if (found := case.median(label)) is not None]
    if ours is None or not theirs:
        return None
    return min(theirs) / ours if ours > 0 else float("inf")


def reached(run: Run) -> list[Reached]:
    """Return every goal with what this run says of it."""
    answers = []
    for goal in GOALS:
        case = run.case(goal.case)
        ratio = None if case is None else _ratio(case, goal)
        smaller = case is not None and case.values < case.wanted
        answers.append(Reached(goal, ratio, smaller))
    return answers
