"""Beside torch itself: `make test-torch` installs it and runs these; no other target collects them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.register_assert_rewrite("beside")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
