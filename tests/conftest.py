"""Fixtures that several files take; what else they share is in `support`."""

from __future__ import annotations

import os

import pytest

# Keras reads it when it is imported; its own default, tensorflow, is no part of the tests.
os.environ.setdefault("KERAS_BACKEND", "numpy")

# Their assertions tell as much as those of the tests.
pytest.register_assert_rewrite("support", "fuzzing")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file that a checkpoint of a run with some of everything is."""
    from support.checkpoints import Run

    path = tmp_path_factory.mktemp("good") / "f"
    Run(1.0).save(path)
    return path.read_bytes()
