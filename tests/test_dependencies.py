"""docs/dependencies.md names what is depended on, all of it and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| ([\w-]+) \| (.+?) \| ([\w ]+) \| (.+?) \| (.*?) \|$", re.MULTILINE)


def rows(heading: str) -> set[tuple[str, str, str]]:
    page = (ROOT / "docs/dependencies.md").read_text()
    section = page.split(f"**{heading}**\n", 1)[1].split("\n**", 1)[0]
    found = [row[:3] for row in ROW.findall(section) if row[0] not in ("crate", "package")]
    assert len(found) == len(set(found)) == section.count("\n| ") - 1
    return set(found)


def crates(path: str, table: str, use: str) -> set[tuple[str, str, str]]:
    dependencies: dict[str, Any] = tomllib.loads((ROOT / path).read_text())[table]
    bounds = {
        name: d if isinstance(d, str) else d.get("version") for name, d in dependencies.items()
    }
    return {(name, bound, use) for name, bound in bounds.items() if bound is not None}


def test_rust() -> None:
    assert rows("Rust") == {
        *crates("Cargo.toml", "dependencies", "run"),
        *crates("Cargo.toml", "dev-dependencies", "test"),
        *crates("fuzz/Cargo.toml", "dependencies", "fuzz"),
    }
    floor = crates("benchmarks/floor/Cargo.toml", "dependencies", "run")
    assert floor <= rows("Rust")  # it has none of its own


def test_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "run": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
    }
    wanted |= {f"extra {name}": extras[name] for name in extras}
    split = re.compile(r"^([\w-]+)(?:\[[\w,]+\])?(.+)$")
    found = set()
    for use, requirements in wanted.items():
        for requirement in requirements:
            match = split.match(requirement)
            assert match is not None, requirement
            found.add((match[1], match[2], use))
    assert rows("Python") == found
