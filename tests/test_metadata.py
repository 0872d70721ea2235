"""What package indexes and others read of the project: metadata, the citation, the templates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from typing import Any

import pytest

import ferrostep as fs
from ferrostep.__main__ import main

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(params=["installed", "of the checkout"])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Distribution:
    """What is installed, and what a wheel of the checkout would have."""
    if request.param == "installed":
        return distribution("ferrostep")
    maturin = shutil.which("maturin", path=Path(sys.executable).parent)
    if maturin is None:
        pytest.skip("maturin is not installed")
    command = [maturin, "pep517", "write-dist-info", "--interpreter", sys.executable]
    command += ["--metadata-directory", tmp_path]  # type: ignore[list-item]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (made,) = tmp_path.iterdir()
    return PathDistribution(made)


def test_metadata(found: Distribution) -> None:
    told = found.metadata
    assert (told["Name"], told["Version"]) == ("ferrostep", fs.__version__)
    assert told["Summary"] == PROJECT["description"]
    assert told["License-Expression"] == PROJECT["license"]
    assert told["Requires-Python"] == PROJECT["requires-python"]
    assert sorted(told["Keywords"].split(",")) == sorted(PROJECT["keywords"])
    assert told.get_all("Classifier") == PROJECT["classifiers"]
    urls = dict(line.split(", ", 1) for line in told.get_all("Project-URL", []))
    assert urls == PROJECT.get("urls", {})
    assert told.get_payload().startswith("# ferrostep\n")  # type: ignore[attr-defined]


def test_classifiers() -> None:
    kinds = {line.split(" :: ")[0] for line in PROJECT["classifiers"]}
    assert kinds >= {"Development Status", "Intended Audience", "Operating System", "Topic"}
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert f">={versions[0]}" == PROJECT["requires-python"]
    readme = (ROOT / "README.md").read_text()
    assert f"CPython {', '.join(versions[:-1])} and {versions[-1]}" in readme  # the tested ones
    assert not any(line.startswith("License") for line in PROJECT["classifiers"])  # PEP 639


def test_the_command_is_installed(found: Distribution) -> None:
    (command,) = found.entry_points.select(group="console_scripts")
    assert (command.name, command.load()) == ("ferrostep", main)


def test_the_installed_command_runs() -> None:
    command = shutil.which("ferrostep", path=Path(sys.executable).parent)
    assert command is not None
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, f"ferrostep {fs.__version__}\n")


def fields(text: str) -> dict[str, str]:
    """The keys of a YAML document's outermost level, with all that stands under each."""
    parts = re.split(r"^([\w-]+):", text, flags=re.MULTILINE)
    assert parts[0] == ""
    return {key: value.strip() for key, value in zip(parts[1::2], parts[2::2], strict=True)}


def test_the_citation() -> None:
    """By the schema of CFF 1.2.0: what it requires, and what is known elsewhere."""
    told = fields((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= told.keys()
    assert told["cff-version"] == "1.2.0"
    assert told["type"] == "software"
    assert told["authors"].startswith("- name: ")
    assert (told["version"], told["license"]) == (fs.__version__, PROJECT["license"])


@pytest.mark.parametrize("name", ["bug", "question"])
def test_templates_of_issues(name: str) -> None:
    text = (ROOT / f".github/ISSUE_TEMPLATE/{name}.md").read_text()
    empty, head, body = text.split("---\n", 2)
    assert empty == ""
    assert fields(head).keys() == {"name", "about"}
    assert body.strip()
