"""Our classes beside the installed torch, optax, Keras (on JAX), timm, schedulefree and others.

12 steps in float64 of every case that is recorded: those of the presets (`golden/preset_cases.py`)
and of the wider family (`support/family.py`), from the same numbers.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from peers.live import end_of
from peers.suite import TESTS
from support import presets
from support.arrays import Array, gradients
from support.family import CASES, STEPS, Case
from support.meant import Ours, apart, ours, plain, steps
from support.names import RECORDED, installed

sys.path.append(str(TESTS / "golden"))
PRESETS: dict[str, Any] = import_module("preset_cases").CASES

PLACES = {"torch": "torch.optim", "keras": "keras.optimizers", "optax": "optax"}
SHAPES = [(7,), (3, 5), (), (1, 2, 3)]


#: Keras' means are in float32 whatever its floatx, and its Adafactor is made of them.
MEANS = 1e-6


def of_preset(library: str, name: str, options: dict[str, Any]) -> Case:
    """Return a case without a record: where it ends is what the library says."""
    rng = np.random.default_rng(20261127)
    row = presets.LIBRARIES[library][name]
    lr = options.get(str(row.sources["lr"]), row.arguments[str(row.sources["lr"])])
    others = {n: x for n, x in options.items() if n != row.sources["lr"]}
    shapes = [shape for shape in SHAPES if len(shape) == 2 or not row.cls.MATRICES]
    start = [np.asarray(rng.standard_normal(shape)) for shape in shapes]

    def gradient(shape: tuple[int, ...]) -> Array | fs.Rows | None:
        g = gradients(rng, shape, np.float64)
        if not row.cls.ROWS_ONLY:
            return g
        return fs.Rows(np.arange(0, len(g), 2), g[::2]) if shape else None

    grads = [[gradient(shape) for shape in shapes] for _ in range(STEPS)]
    given = {"lr": lr, **others}
    place = f"{PLACES[library]}.{name}"
    return Case(place, given, "float64", [lr] * STEPS, start, grads, [], None, [])


OF_PRESETS = [
    of_preset(library, name, dict(options))
    for library in PLACES
    for name, options in PRESETS[library]
]
RECORDS = [case for case in CASES if case.dtype == "float64" and ours(case).make]


def title(case: Case) -> str:
    return case.title


def theirs(case: Case) -> list[Array]:
    for module in (case.theirs.partition(".")[0], "torch" if "timm" in case.theirs else "numpy"):
        pytest.importorskip(module)
    return end_of(case)


def compare(case: Case, found: Ours, wanted: list[Array]) -> None:
    assert found.make is not None
    params = [p.copy() for p in case.start]
    steps(found.make(params), case)
    bound = MEANS if case.theirs == "keras.optimizers.Adafactor" else case.bound
    assert apart(params, wanted, case.start) <= bound


@pytest.mark.parametrize("case", OF_PRESETS, ids=title)
def test_presets(case: Case) -> None:
    library = "torch" if case.theirs.startswith("torch") else case.theirs.partition(".")[0]
    name = case.theirs.rpartition(".")[2]
    row = presets.LIBRARIES[library][name]
    given = {str(row.sources["lr"]) if n == "lr" else n: plain(x) for n, x in case.options.items()}
    made = Ours(lambda params: row.cls(params, **row.options(given)))
    compare(case, made, theirs(case))


@pytest.mark.parametrize("case", RECORDS, ids=title)
def test_family(case: Case) -> None:
    end = theirs(case)
    assert apart(end, case.end, case.start) <= case.bound, "the library is no longer as recorded"
    compare(case, ours(case), end)


def test_every_class_is_compared() -> None:
    """What is ours alone, or in none of these libraries, is compared with loops by hand."""
    made = [ours(case).make for case in RECORDS]
    found = {type(make([np.ones((2, 2))])) for make in made if make}
    found |= {
        presets.LIBRARIES[library][name].cls for library in PLACES for name, _ in PRESETS[library]
    }
    every = {getattr(fs.optimizers, name) for name in fs.optimizers.__all__}
    waiting = {ours(case).awaited.partition("(")[0] for case in CASES}
    assert {cls for cls in every - found if cls.__name__ not in waiting} == {fs.AdaptiveGains}


@pytest.mark.parametrize("library", RECORDED)
def test_names(library: str) -> None:
    pytest.importorskip(library)
    assert RECORDED[library]["names"] == installed(library)
