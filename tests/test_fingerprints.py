"""Clause 9 of the numerical contract: a hash per case and dtype, the same on every platform.

``python tests/test_fingerprints.py`` prints them; what it prints belongs into fingerprints.json.
A changed fingerprint is a changed contract: say so in the CHANGELOG.
"""

from __future__ import annotations

import json

import pytest

from support.arrays import TIERS, running_on
from support.fingerprints import FILE, all_fingerprints


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tier", TIERS)
def test_native(tier: str, threads: int) -> None:
    with running_on(tier, threads):
        assert all_fingerprints() == json.loads(FILE.read_text())


def test_reference() -> None:
    assert all_fingerprints(backend="reference") == json.loads(FILE.read_text())


if __name__ == "__main__":
    print(json.dumps(all_fingerprints(), indent=1))
