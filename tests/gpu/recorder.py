"""A plugin of pytest: the counts and the failures of a part, noted after every test."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from results import Results

COUNTS: Counter[str] = Counter()
FAILURES: dict[str, str] = {}
#: Processes of pytest-xdist report to the one that tells.
WORKER = "PYTEST_XDIST_WORKER" in os.environ


def pytest_runtest_logreport(report: Any) -> None:
    if WORKER or (report.when != "call" and report.outcome == "passed"):
        return  # of what goes before and after
    COUNTS[report.outcome] += 1
    name = report.nodeid.rsplit("/", 1)[-1]
    if report.failed:
        FAILURES[name] = report.longreprtext[-2000:]
    _note(f" (at {name})")


def pytest_sessionfinish() -> None:
    if not WORKER:
        _note("")


def _note(where: str) -> None:
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(COUNTS.items())) or "none ran"
    first = f"; first {next(iter(FAILURES))}" if FAILURES else ""
    entry = {"text": f"{counts}{first}{where}", "counts": COUNTS, "failures": FAILURES}
    Results.here().put("tests", os.environ["FERROSTEP_GPU_PART"], entry)
