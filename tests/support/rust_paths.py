"""Which files of `src` name which: paths are followed through re-exports to what defines them.

Not a compiler: what a macro writes, and names that a glob brings, are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Module = tuple[str, ...]

COMMENTS_AND_TEXTS = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', re.S
)
VISIBILITY = re.compile(r"\bpub\s*\([^)]*\)")
TOKEN = re.compile(
    r"(?P<attribute>#\[cfg\(test\)\]\s*)?\bmod\s+(?P<inline>\w+)\s*\{"
    r"|\bmod\s+(?P<child>\w+)\s*;"
    r"|(?P<public>\bpub\s+)?\buse\s+(?P<use>[^;]+);"
    r"|(?<![\w:])(?P<path>\w+(?:::\w+)+)"
    r"|(?P<brace>[{}])"
)


@dataclass(frozen=True)
class Named:
    """A path, as it stands in a module (an inline one too)."""

    inside: Module
    path: tuple[str, ...]
    in_test: bool


@dataclass
class File:
    """What one file declares, and what it names."""

    children: set[str] = field(default_factory=set)
    #: What it gives on under a name: `pub use kernel::Kernel`.
    given_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named: list[Named] = field(default_factory=list)


def module_of(path: Path, source: Path) -> Module:
    parts = path.relative_to(source).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def in_tree(tree: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the paths of a `use` with the name that each gets."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    start = tuple(part.strip() for part in head.split("::") if part.strip())
    if not brace:
        *path, last = start
        name, _, alias = last.partition(" as ")
        path = path if name == "self" and path else [*path, name.strip()]
        yield tuple(path), alias.strip() or path[-1]
        return
    depth, item = 0, ""
    for sign in rest[: rest.rindex("}")] + ",":
        depth += (sign == "{") - (sign == "}")
        if sign == "," and not depth:
            if item.strip():
                yield from (((*start, *path), name) for path, name in in_tree(item))
            item = ""
        else:
            item += sign


def read(text: str, module: Module) -> File:
    text = VISIBILITY.sub("pub", COMMENTS_AND_TEXTS.sub(" ", text))
    found, inside, depth = File(), [(module, False, 0)], 0
    for token in TOKEN.finditer(text):
        here, testing, _ = inside[-1]
        if token["inline"]:
            depth += 1
            inside.append(((*here, token["inline"]), testing or bool(token["attribute"]), depth))
        elif token["brace"]:
            depth += 1 if token["brace"] == "{" else -1
            if depth < inside[-1][2]:
                inside.pop()
        elif token["child"]:
            found.children.add(token["child"])
        elif token["use"]:
            for path, name in in_tree(token["use"]):
                if token["public"] and here == module:
                    found.given_on[name] = path
                else:
                    found.named.append(Named(here, path, testing))
        elif token["path"]:
            found.named.append(Named(here, tuple(token["path"].split("::")), testing))
    return found


def absolute(named: Named, file: File) -> Module | None:
    """Return a path from the root of the crate; None for what is of another crate."""
    first, *rest = named.path
    if first == "crate":
        return tuple(rest)
    if first in ("self", "super"):
        here = named.inside
        for part in named.path:
            if part == "super":
                here = here[:-1]
            elif part != "self":
                break
        return (*here, *(part for part in named.path if part not in ("self", "super")))
    return (*named.inside, *named.path) if first in file.children else None


def arrows(source: Path) -> set[tuple[Module, Module, bool]]:
    """Return which module names which, and whether it does so in its unit tests."""
    files = {module_of(path, source): path for path in sorted(source.rglob("*.rs"))}
    read_ = {module: read(path.read_text(), module) for module, path in files.items()}

    def defined_in(path: Module, seen: frozenset[Module] = frozenset()) -> Module:
        """Return the file that a path leads to."""
        end = max(n for n in range(len(path) + 1) if path[:n] in files)
        module, rest = path[:end], path[end:]
        given_on = read_[module].given_on.get(rest[0]) if rest else None
        if given_on is None or path in seen:
            return module
        led = absolute(Named(module, given_on, False), read_[module])
        return module if led is None else defined_in((*led, *rest[1:]), seen | {path})

    found = set()
    for module, file in read_.items():
        for named in file.named:
            path = absolute(named, file)
            if path is not None and (target := defined_in(path)) != module:
                found.add((module, target, named.in_test))
    return found
