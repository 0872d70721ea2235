"""A library's own test files, run with ours in place, and what is expected of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).parent.parent
#: Seconds for one suite.
LIMIT = 1200


@dataclass(frozen=True)
class Suite:
    """The tests of one library that touch its optimizers."""

    name: str
    #: Files, or ids of tests as pytest takes them.
    tests: tuple[str, ...]
    #: The plugin of pytest that puts ours in place.
    plugin: str
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Tests that fail, by name: why each does not apply.
    inapplicable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How the tests of a suite ended."""

    counts: Mapping[str, int]
    #: The first line of each error, by the name of the test.
    failures: Mapping[str, str]
    #: How many were skipped, by the reason given.
    skipped: Mapping[str, int]

    def unexpected(self, suite: Suite) -> list[str]:
        """Return what failed without a reason, and reasons for what did not fail."""
        known = suite.inapplicable
        failed = [f"{test}: {why}" for test, why in self.failures.items() if test not in known]
        passed = known.keys() - self.failures.keys()
        return failed + [f"{test} is said not to apply, and passes" for test in sorted(passed)]


def run(suite: Suite) -> Outcome:
    """Run a suite in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junit-xml={report}"]
        # Settings of its own: the libraries lie in an environment that lies in this repository.
        settings = Path(folder, "pytest.ini")
        settings.write_text("[pytest]\n")
        command += ["-p", suite.plugin, "-p", "no:cacheprovider", f"--config-file={settings}"]
        before = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(TESTS), *([before] if before else [])])
        subprocess.run(
            [*command, *suite.tests],
            cwd=folder,
            env={**os.environ, **suite.environment, "PYTHONPATH": path},
            timeout=LIMIT,
            check=False,
        )
        if not report.exists():
            raise RuntimeError(f"pytest made no report of {suite.name}")
        return _read(report)


def _read(report: Path) -> Outcome:
    counts, skipped = Counter[str](), Counter[str]()
    failures = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [part for part in case if part.tag in ("failure", "error", "skipped")]
        counts[kinds[0].tag if kinds else "passed"] += 1
        for part in kinds:
            told = (part.get("message") or "").splitlines() or [""]
            if part.tag == "skipped":
                skipped[told[0]] += 1
            else:
                failures[str(case.get("name"))] = told[0]
    return Outcome(counts, failures, skipped)
