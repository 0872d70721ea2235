"""Fixtures that several files take; what else they share is in `support`."""

from __future__ import annotations

import os
from itertools import groupby
from zlib import crc32

import pytest

# Keras reads it when it is imported; its own default, tensorflow, is no part of the tests.
os.environ.setdefault("KERAS_BACKEND", "numpy")

# Their assertions tell as much as those of the tests.
pytest.register_assert_rewrite("support", "fuzzing")


#: Of a test with more parameter sets than this, about as many are run; the others are `long`.
SETS = 100


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave most of a product of cases with layouts, types and so on to `make test-long`.

    Which ones follows from their names, so it is the same choice everywhere.
    """
    for _, tests in groupby(items, key=lambda item: item.nodeid.partition("[")[0]):
        sets = list(tests)
        for item in sets:
            if crc32(item.nodeid.encode()) % len(sets) >= SETS:
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file that a checkpoint of a run with some of everything is."""
    from support.checkpoints import Run

    path = tmp_path_factory.mktemp("good") / "f"
    Run(1.0).save(path)
    return path.read_bytes()
