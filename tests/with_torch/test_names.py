"""torch's names are those recorded: `tests/test_elsewhere.py` has what becomes of each."""

from __future__ import annotations

from support.names import RECORDED, installed


def test_names() -> None:
    assert RECORDED["torch"]["names"] == installed("torch")
