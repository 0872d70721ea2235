"""Who knows whom: rooms import downwards only, and nothing goes in a circle.

All imports count: at the top, within functions, and those for type checkers alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from support import rust_paths

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "ferrostep"

#: The rooms of the package, the lowest first; a package's name stands for all that is in it.
ROOMS: dict[str, set[str]] = {
    "words and plans": {
        "typing",
        "settings",
        "spellings",
        "differences",
        "loading",
        "later",
        "keys",
        "markup",
    },
    "the core": {"_native", "state", "threads", "config", "memmap"},
    "backends": {"backends"},
    "parameters and groups": {
        "tree",
        "params",
        "matched",
        "groups",
        "watched",
        "functional",
        "rows",
    },
    "options": {"options", "schema", "annotations", "option", "attributes"},
    "state dicts": {"saved", "state_dict", "pending", "partial"},
    "schedulers": {"schedulers"},
    "checkpoints": {"checkpoint"},
    "the base class": {
        "declared",
        "persistent",
        "unbound",
        "changing",
        "shown",
        "storable",
        "optimizer",
    },
    "optimizers": {"evaluated", "optimizers"},
    "beside them": {"averages", "clip", "compat", "presets", "range_test", "wrappers"},
    "the package": {"elsewhere", "overview", "__init__"},
    "programs": {"cuda_source", "demo", "inspection", "__main__"},
}
#: The rooms of the crate; one may be missing.
RUST_ROOMS = ["number", "rules", "engine", "cuda", "optimizer", "python"]


def cycle(arrows: Iterable[tuple[object, object]]) -> list[object]:
    """Return the members of a circle, if there is one."""
    graph = TopologicalSorter[object]()
    for source, target in arrows:
        graph.add(source, target)
    try:
        graph.prepare()
    except CycleError as error:
        found: list[object] = error.args[1]
        return found
    return []


# The package.


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for end in ("py", "pyi") for path in PACKAGE.rglob(f"*.{end}")}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a file imports from, wherever it does so."""
    package = name_of(path) if path.stem == "__init__" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                start = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                whole = f"{start}.{alias.name}"
                if whole in MODULES or start in MODULES:
                    yield whole if whole in MODULES else start


ARROWS = {
    (name, target) for name, path in MODULES.items() for target in imported(path) if target != name
}


def room_of(module: str) -> int:
    top = module.split(".")[1] if "." in module else "__init__"
    (found,) = (i for i, members in enumerate(ROOMS.values()) if top in members)
    return found


def test_every_module_has_one_room_and_every_room_has_its_modules() -> None:
    tops = {module.split(".")[1] if "." in module else "__init__" for module in MODULES}
    assert sorted(top for members in ROOMS.values() for top in members) == sorted(tops)


def test_imports_are_found() -> None:
    assert ("ferrostep.__main__", "ferrostep.demo") in ARROWS  # within a function
    assert ("ferrostep.compat.torch.exchange", "ferrostep.optimizer") in ARROWS  # for type checkers
    assert ("ferrostep._native", "ferrostep.settings") in ARROWS  # in a stub
    assert ("ferrostep.demo.train", "ferrostep") in ARROWS
    assert ("ferrostep.checkpoint", "ferrostep.checkpoint.values") in ARROWS
    assert len(ARROWS) > 150


def test_modules_import_in_no_circle() -> None:
    assert cycle(ARROWS) == []


def test_rooms_import_downwards_only() -> None:
    assert not [(source, target) for source, target in ARROWS if room_of(source) < room_of(target)]


# The crate.

RUST_ARROWS = rust_paths.arrows(ROOT / "src")


def test_paths_in_rust_are_found() -> None:
    files = {(source, target) for source, target, _ in RUST_ARROWS}
    assert (("rules", "adam"), ("number", "real")) in files  # given on by number/mod.rs
    assert (("python",), ("rules",)) in files
    assert (("python", "array", "header"), ("python", "array", "host")) in files
    assert (("python",), ("python", "array", "host")) in files  # by its name alone


def test_rust_rooms_name_lower_ones_only() -> None:
    rooms = {module[0] for arrow in RUST_ARROWS for module in arrow[:2] if module}
    assert rooms <= set(RUST_ROOMS)
    place = {name: i for i, name in enumerate(RUST_ROOMS)}
    wrong = {
        (source, target)
        for source, target, _ in RUST_ARROWS
        if source and (not target or place[source[0]] < place[target[0]])
    }
    assert not wrong


@pytest.mark.parametrize("room", RUST_ROOMS)
def test_files_of_a_rust_room_name_each_other_in_no_circle(room: str) -> None:
    """Unit tests may look at anything in their room."""
    inside = {
        (source, target)
        for source, target, in_test in RUST_ARROWS
        if source[:1] == target[:1] == (room,) and not in_test
    }
    assert cycle(inside) == []
