"""No test can wait for ever for a process that it started."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.rglob("*.py") if path.parent.name != "golden")
#: The module-level doors to a process, and the argument that limits it.
LIMITS = {"run": "timeout", "check_output": "timeout", "check_call": "timeout", "Process": "daemon"}
#: Where a bare Popen is handed on to what limits it.
STARTS = {HERE / "support" / "programs.py", HERE / "gpu" / "parts.py"}


def unlimited(tree: ast.AST) -> Iterator[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    within = {
        id(argument)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "limited"
        for argument in call.args
    }
    for call in calls:
        text = ast.unparse(call.func)
        owner, _, name = text.rpartition(".")
        if owner not in ("subprocess", "context", "multiprocessing"):
            continue
        if name in LIMITS and LIMITS[name] not in {keyword.arg for keyword in call.keywords}:
            yield f"line {call.lineno}: {text} without {LIMITS[name]}"
        if name == "Popen" and id(call) not in within:
            yield f"line {call.lineno}: {text} without limited()"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_every_process_has_a_time_limit(path: Path) -> None:
    if path not in STARTS:
        assert list(unlimited(ast.parse(path.read_text()))) == []


def test_the_search_finds_them() -> None:
    code = "subprocess.run(x); limited(subprocess.Popen(x), 1); subprocess.Popen(x)"
    assert len(list(unlimited(ast.parse(code)))) == 2
