"""The examples: by hand and with ferrostep, the same numbers in fewer lines."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import loops

EXAMPLES = sorted(loops.EXAMPLES.glob("*.py"))


def arrays(result: Any) -> list[Any]:
    if isinstance(result, dict):
        return [array for value in result.values() for array in arrays(value)]
    if isinstance(result, list | tuple):
        return [array for value in result for array in arrays(value)]
    return [result]


def lines(module: Any, which: str) -> int:
    """The lines of a way, with those of the class that it trains."""
    names = {"by_hand": "ByHand", "with_ferrostep": "WithFerrostep"}
    parts = [getattr(module, which), getattr(module, names[which], None)]
    return sum(len(inspect.getsource(part).splitlines()) for part in parts if part is not None)


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_both_ways_give_the_same(path: Path) -> None:
    example = loops.load(path)
    results = []
    for way in (example.by_hand, example.with_ferrostep):
        results.append(arrays(way(*example.problem(size=101), 25)))
    assert len(results[0]) == len(results[1])
    for by_hand, mine in zip(*results, strict=True):
        # The order of operations differs, by an ULP or so at each of 25 steps.
        np.testing.assert_allclose(mine, by_hand, rtol=1e-9, atol=1e-12)
        assert np.isfinite(mine).all()
    start = arrays(example.problem(size=101)[0])
    assert any((a != b).any() for a, b in zip(start, results[1][-len(start) :], strict=True))
    assert lines(example, "with_ferrostep") < lines(example, "by_hand")
