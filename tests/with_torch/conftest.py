"""Beside torch itself: `make test-torch` installs it and runs these; nothing else collects them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("torch") is None:
    collect_ignore_glob = ["*"]

pytest.register_assert_rewrite("beside")
