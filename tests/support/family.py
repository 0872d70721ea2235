"""Other libraries' recorded runs of the wider family.

``vectors/family.safetensors`` has a tensor for each case: where the parameters begin, their
gradients at each step, where they end, and the final state, one after the other; its header says
which library made it, and how. What is the same everywhere is the number of steps, and where the
learning rate is halved, if it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

import ferrostep as fs
from support.arrays import Array

#: How far ours may be after the 12 steps: a parameter from the larger of where it began and where
#: it ended, a state array from the largest number in it. What was found is 14 machine epsilons and
#: less: theirs fuse and reassociate. (Of Adan's average of differences 107, in float64: one number
#: of which little is left.)
BOUND = {"float64": 1e-12, "float32": 2e-6}
#: Where an error comes back into the run.
BOUNDS: dict[str, dict[str, float]] = {
    "prodigyopt.Prodigy": {"float64": 1e-12, "float32": 1e-3},  # through d, of all parameters' sums
}

FILE = Path(__file__).parents[1] / "vectors" / "family.safetensors"
STEPS, HALVED = 12, 6


@dataclass(frozen=True)
class Case:
    """A recorded run: 12 steps of one class of another library."""

    theirs: str
    options: Mapping[str, Any]
    dtype: str
    rates: list[float]
    start: list[Array]
    #: For each step; None where a parameter has no gradient.
    gradients: list[list[Array | fs.Rows | None]]
    end: list[Array]
    #: The averages of a schedule-free class, where its parameters are not these.
    averaged: list[Array] | None
    #: For each parameter, if it was recorded: arrays, and what is a number per parameter.
    state: list[dict[str, Any]]

    @property
    def bound(self) -> float:
        return BOUNDS.get(self.theirs, BOUND)[self.dtype]

    @property
    def title(self) -> str:
        told = (f"{name}={value}" for name, value in self.options.items() if name != "lr")
        return f"{self.theirs}({','.join(told)})".replace(" ", "")


def _read() -> Iterator[Case]:
    with safe_open(FILE, "numpy") as file:
        for i, about in enumerate(json.loads(file.metadata()["cases"])):
            yield _case(about, file.get_tensor(f"{i:03}"))


def _case(about: dict[str, Any], numbers: Array) -> Case:
    used = 0

    def take(shape: list[int]) -> Array:
        nonlocal used
        begin, used = used, used + int(np.prod(shape))
        return numbers[begin:used].reshape(shape)

    def gradient(t: int, i: int) -> Array | fs.Rows | None:
        if [t, i] in about.get("missing", []):
            return None
        if "rows" not in about:
            return take(shapes[i])
        rows = about["rows"][t]
        return fs.Rows(rows, take([len(rows), *shapes[i][1:]]))

    shapes = about["shapes"]
    lr = about["options"]["lr"]
    later = lr / 2 if about.get("halved") else lr
    case = Case(
        theirs=about["class"],
        options=about["options"],
        dtype=about["dtype"],
        rates=[lr] * HALVED + [later] * (STEPS - HALVED),
        start=[take(shape) for shape in shapes],
        gradients=[[gradient(t, i) for i in range(len(shapes))] for t in range(STEPS)],
        end=[take(shape) for shape in shapes],
        averaged=[take(shape) for shape in shapes] if about.get("averaged") else None,
        state=[
            {name: take(x) if isinstance(x, list) else x for name, x in entry.items()}
            for entry in about.get("state", [])
        ],
    )
    assert used == len(numbers)
    return case


CASES = [*_read()]
