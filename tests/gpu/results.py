"""What a run on a device found: one JSON file, whole at every moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Results:
    """Sections of named entries; each process of the run writes to the same file in its turn."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def begin(cls, folder: Path) -> Results:
        folder.mkdir(parents=True, exist_ok=True)
        found = cls(folder / "gpu.json")
        found._write({"parts": {}, "machine": {}, "tests": {}, "benchmark": {}})
        return found

    @classmethod
    def here(cls) -> Results:
        """The file of the run that this process is a part of."""
        return cls(Path(os.environ["FERROSTEP_GPU_RESULTS"]))

    def read(self) -> dict[str, dict[str, Any]]:
        return json.loads(self.path.read_text())

    def _write(self, found: dict[str, dict[str, Any]]) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(found, indent=1) + "\n")
        new.replace(self.path)

    def put(self, section: str, name: str, entry: Any) -> None:
        found = self.read()
        found[section][name] = entry
        self._write(found)

    def failed(self) -> bool:
        """Whether a part failed: each does when something in it does."""
        return any(part["outcome"] != "ok" for part in self.read()["parts"].values())

    def table(self) -> str:
        found = self.read()
        rows = [(name, str(value)) for name, value in found["machine"].items()]
        rows += [(name, entry["text"]) for name, entry in found["tests"].items()]
        rows += [(name, entry["text"]) for name, entry in found["benchmark"].items()]
        rows += [
            (f"part {name}", f"{part['outcome']}, {part['seconds']} s")
            for name, part in found["parts"].items()
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}} | {text}" for name, text in rows)
