"""How the tests are laid out: files that stand alone, and none that is too long to be read.

And how errors are worded, all over the package: CONTRIBUTING.md has the rule.
"""

from __future__ import annotations

import ast
import re
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


#: Python's and torch's own texts, which their users match.
TAKEN_OVER = {
    "optimizer got an empty parameter list",
    "{}.__init__() got an unexpected keyword argument {}{}",
}
#: What no error says, and why.
FAULTS = {
    r"\bexpected\b|\bgot\b|, but ": "say found and wanted",
    r"(?<!,) wanted\b|; (found|wanted)\b": "a comma comes before wanted and found",
    r"^(?!found )(?!\{)(?!.*\b(has|have|is|are|begins)\b.*, wanted).*, wanted\b": "what has what?",
    r"\w found \{": "a comma comes before wanted and found",
    r"^(?!Invalid )(?=.*\bmust (be|have|not|differ|hold)\b)(?!.*, found\b)": "what was found?",
    r": (add|call|edit|give|load|make|pass|pip|read|set|step|use|write)\b": "; before a remedy",
}


def in_python(text: str) -> Iterator[str]:
    """The strings of a module that are not documentation, with {} for what is put into them."""
    tree = ast.parse(text)
    inside = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            ast.walk(node)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            else node.values
            if isinstance(node, ast.JoinedStr)
            else ()
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def in_rust(text: str) -> Iterator[str]:
    """The same of a Rust file, without its tests."""
    code = re.sub(r"^\s*//.*$", "", text.split("#[cfg(test)]\nmod")[0], flags=re.MULTILINE)
    for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', code, re.DOTALL):
        yield re.sub(r"\{[^{}]*\}", "{}", re.sub(r"\\\n\s*", "", literal))


def faults(text: str) -> list[str]:
    """What is wrong with an error's words.

    A check says of an option only what it "must be"; a text of several paragraphs is a page.
    """
    if text in TAKEN_OVER or text.startswith("must ") or "\n\n" in text:
        return []
    return [why for pattern, why in FAULTS.items() if re.search(pattern, text, re.DOTALL)]


def sources() -> Iterator[tuple[str, list[str]]]:
    root = HERE.parent
    for path in sorted((root / "python").rglob("*.py")):
        yield str(path.relative_to(root)), list(in_python(path.read_text()))
    for path in sorted((root / "src").rglob("*.rs")):
        if path.stem not in ("tests", "testing") and root / "src/cuda" not in path.parents:
            yield str(path.relative_to(root)), list(in_rust(path.read_text()))


def test_errors_are_worded_in_one_way() -> None:
    found = dict(sources())
    wrong = [f"{p}: {text}: {why}" for p in found for text in found[p] for why in faults(text)]
    assert not wrong, "\n".join(wrong)
    for suffix, least in ((".py", 150), (".rs", 60)):
        texts = [text for p in found if p.endswith(suffix) for text in found[p]]
        assert sum(" " in text for text in texts) > least


@pytest.mark.parametrize(
    "text",
    [
        "x must be a number",
        "x must be a number, got {}",
        "x is a {}; wanted a number",
        "x has shape {} wanted {}",
        "expected {}",
        "x came as {}, wanted {}",
        "x must be a number found {}",
        "x is read-only: pass a copy",
        "x has {} values, but y has {}",
    ],
)
def test_words_that_are_refused(text: str) -> None:
    assert faults(text)
    assert [*in_python(f'"""x got y"""\nraise ValueError({text!r})')] == [text]
    assert [*in_rust(f'// "x got y"\nreturn Err("{text}");')] == [text]


@pytest.mark.parametrize(
    "text",
    [
        "x must be a number, found {}; write 1.0",
        "x has shape {}, wanted {}",
        "found {} values, wanted {}: one for each",
        "x is read-only, wanted writable; give a copy",
        "Invalid learning rate: {} ({} must be a number)",
        "x and y overlap in memory; give each its own",
    ],
)
def test_words_that_are_not(text: str) -> None:
    assert not faults(text)
