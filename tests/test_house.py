"""How the tests are laid out: files that stand alone, and none that is too long to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted([*HERE.rglob("*.py"), *HERE.rglob("*.rs"), HERE / "gpu" / "run"])
IDS = [str(path.relative_to(HERE)) for path in FILES]
LONGEST = 300


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST, "split it by subject"


def imported(text: str) -> Iterator[str]:
    """What a file imports, in programs within its strings too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            lines = (line.split() for line in node.value.splitlines())
            yield from (words[1] for words in lines if words[:1] == ["from"] and len(words) > 3)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_file_imports_a_test(path: Path) -> None:
    """What two files need is in `support` or `cases.py`, or a fixture in `conftest.py`."""
    if path.suffix != ".rs":
        tests = {file.stem for file in FILES if file.stem.startswith("test_")}
        assert tests.isdisjoint(imported(path.read_text()))


def test_the_search_finds_them() -> None:
    text = 'from test_a import x\nimport test_b\ny = """\nfrom test_c import z, w\n"""'
    assert set(imported(text)) == {"test_a", "test_b", "test_c"}
