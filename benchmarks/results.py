"""What a run found, and its JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """One line of a case: a median with its spread, or why there is none."""

    label: str
    what: str
    values: int
    threads: int
    unit: str = "s"
    median: float | None = None
    #: The first and the third quartile.
    low: float | None = None
    high: float | None = None
    samples: int = 0
    error: str | None = None


@dataclass(frozen=True)
class CaseFound:
    name: str
    group: str
    #: What memory or an option made smaller: the values wanted.
    wanted: int
    values: int
    found: list[Found]

    def median(self, label: str) -> float | None:
        return next((line.median for line in self.found if line.label == label), None)


@dataclass(frozen=True)
class Run:
    machine: dict[str, Any]
    #: By peer its version, or why it is absent.
    versions: dict[str, str]
    absent: dict[str, str]
    cases: list[CaseFound] = field(default_factory=list)

    def case(self, name: str) -> CaseFound | None:
        return next((case for case in self.cases if case.name == name), None)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def load(path: Path) -> Run:
    data = json.loads(path.read_text())
    cases = [
        CaseFound(**{**case, "found": [Found(**line) for line in case["found"]]})
        for case in data.pop("cases")
    ]
    return Run(**data, cases=cases)
