"""The stub of the native module has the docstrings of the module, so that editors show them.

``cd tests && ../.venv/bin/python test_stub.py`` prints the stub with them all.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferrostep import _native

STUB = Path(_native.__file__).with_name("_native.pyi")
Node = ast.ClassDef | ast.FunctionDef


def told(owner: Any) -> Iterator[tuple[str, str]]:
    """What has a docstring of ours: that of a special method is Python's."""
    for name, value in vars(owner).items():
        own = callable(value) or inspect.isgetsetdescriptor(value)
        if own and not name.startswith("__") and value.__doc__:
            yield name, inspect.cleandoc(value.__doc__)


def documented(owner: Any, body: list[ast.stmt]) -> Iterator[tuple[str, Node, str]]:
    """Yield the stub's definitions with the docstrings of what they stand for."""
    nodes = {node.name: node for node in body if isinstance(node, Node)}
    for name, text in told(owner):
        assert name in nodes, f"{name} is not in the stub"
        yield name, nodes[name], text
    for name, node in nodes.items():
        if isinstance(node, ast.ClassDef):
            yield from documented(getattr(owner, name), node.body)


def test_the_stub_has_the_docstrings_of_the_module() -> None:
    found = list(documented(_native, ast.parse(STUB.read_text()).body))
    assert {"step", "StepInfo", "as_dict", "cuda_source"} <= {name for name, _, _ in found}
    for name, node, text in found:
        assert ast.get_docstring(node) == text, f"{name}: see the first lines of this file"


def renewed(stub: str) -> str:
    """Return the stub with every docstring in its place."""
    starts = [0]
    for line in stub.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = [(node, text) for _, node, text in documented(_native, ast.parse(stub).body)]
    for node, text in sorted(found, key=lambda pair: -pair[0].lineno):
        first, indent = node.body[0], " " * (node.col_offset + 4)
        start = starts[first.lineno - 1] + first.col_offset
        end = starts[(first.end_lineno or 0) - 1] + (first.end_col_offset or 0)
        quoted = textwrap.indent(f'"""{text}"""', indent)
        if ast.get_docstring(node) is not None:
            quoted = quoted.lstrip()
        elif isinstance(node, ast.ClassDef):
            quoted, end = f"{quoted.lstrip()}\n{indent}", start
        else:
            quoted = f"\n{quoted}"
        stub = stub[:start].rstrip(" " * (quoted[0] == "\n")) + quoted + stub[end:]
    return stub


if __name__ == "__main__":
    print(renewed(STUB.read_text()), end="")
