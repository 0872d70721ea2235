"""docs/convergence.md has every class, and what a class reaches is what stands there."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from benchmarks import convergence

PAGE = Path(__file__).parents[1] / "docs" / "convergence.md"
ROWS = {
    found[0]: [float(x.rstrip("%")) for x in found[1:]]
    for found in re.findall(r"^\| `(\w+)` \|" + r" (\S+) \|" * 5, PAGE.read_text(), re.M)
}


def test_the_page_has_every_class() -> None:
    again = "python -m benchmarks.convergence --page docs/convergence.md"
    assert ROWS.keys() == convergence.CLASSES.keys(), again


@pytest.mark.parametrize("name", convergence.CLASSES)
def test_what_it_reaches(name: str) -> None:
    """In the valley to the figure; the digits in two epochs of the page's twenty."""
    lr, loss, accuracy, valley_lr, value = ROWS[name]
    assert convergence.train(name, lr, epochs=2).loss < 1.5
    assert loss < 0.1
    assert accuracy > 90
    found = convergence.descend(name, valley_lr).loss
    assert math.isclose(float(f"{found:.1e}"), value)
    assert value < 1
