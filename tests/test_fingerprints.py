"""Clause 9 of the numerical contract: a hash per case and dtype, the same on every platform.

``python tests/test_fingerprints.py`` prints fingerprints.json, with a line for every new class and
case. A changed fingerprint is a changed contract: say so in the CHANGELOG.
"""

from __future__ import annotations

import pytest

from support.arrays import TIERS, running_on
from support.fingerprints import (
    all_fingerprints,
    all_matrix_fingerprints,
    known,
    optimizers,
    options_of_cases,
    printed,
)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tier", TIERS)
def test_native(tier: str, threads: int) -> None:
    with running_on(tier, threads):
        assert all_fingerprints() == known()["fingerprints"]
        assert all_matrix_fingerprints() == known()["matrices"]


def test_reference() -> None:
    assert all_fingerprints(backend="reference") == known()["fingerprints"]
    assert all_matrix_fingerprints(backend="reference") == known()["matrices"]


def test_the_tests_in_rust_read_all_classes_and_cases() -> None:
    print_again = "cd tests && python test_fingerprints.py > fingerprints.json"
    assert known()["optimizers"] == optimizers(), print_again
    assert known()["cases"] == options_of_cases(), print_again


if __name__ == "__main__":
    print(printed())
