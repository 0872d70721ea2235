"""What is made from the rows of `ferrostep.presets`: the types of its functions, README's table.

``cd tests && ../.venv/bin/python -m support.presets`` writes both in their places.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ferrostep import presets
from ferrostep.presets.functions import Ours, call
from ferrostep.presets.row import Row
from ferrostep.schema import REQUIRED

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
#: What is made stands between these lines.
IN_CODE = (
    "    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets\n",
    "    # End of what is made.\n",
)
IN_README = (
    "<!-- presets: cd tests && ../.venv/bin/python -m support.presets -->\n",
    "<!-- end of presets -->\n",
)

LIBRARIES: dict[str, dict[str, Row]] = {
    name: import_module(f"ferrostep.presets.{name}").ROWS
    for name in ("torch", "keras", "sklearn", "optax", "papers")
}
ROWS = [row for rows in LIBRARIES.values() for row in rows.values()]


def module_of(library: str) -> Path:
    return Path(presets.__path__[0], f"{library}.py")


def between(text: str, marks: tuple[str, str]) -> str:
    return text.partition(marks[0])[2].partition(marks[1])[0]


# Types.


def types(rows: Mapping[str, Row]) -> str:
    """Return the functions of a library as type checkers are to see them."""
    lines = [
        "from typing import Literal, Unpack",
        "from ferrostep.presets.functions import Ours",
        "from ferrostep.typing import Params, StateDtype",
        *_rest([*rows.values()]),
        *map(_definition, rows.values()),
    ]
    code = "if TYPE_CHECKING:\n" + "".join(f"    {line}\n" for line in lines)
    for command in ("check --quiet --fix --select F401,I", "format --quiet"):
        code = subprocess.run(
            [sys.executable, "-m", "ruff", *command.split(), "-"],
            input=code, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
        ).stdout  # fmt: skip
    return code.removeprefix("if TYPE_CHECKING:\n") + "\n"


def _rest(rows: list[Row]) -> Iterator[str]:
    """Yield a type for what would fill every signature, and chooses nothing."""
    library = rows[0].library
    idle = [name for name in rows[0].common if _idle(rows[0], name)]
    yield "class _Rest(Ours, total=False):"
    yield '    """What all take by name."""'
    yield from () if library.params_first else ("    params: Params | None",)
    yield from (f"    {name}: {_type(rows[0], name)}" for name in idle)


def _idle(row: Row, name: str) -> bool:
    return name in row.library.ignored or name in row.remedies


def _definition(row: Row) -> str:
    every = ["params: Params | None = None"] if row.library.params_first else []
    every += ["*"] if row.library.by_name else []
    every += [_argument(row, name) for name in row.defaults if name not in Ours.__annotations__]
    chosen = [_argument(row, name) for name in row.common if not _idle(row, name)]
    every += ["*", *chosen] if chosen else []
    returned = f"optimizers.{row.cls.__name__}"
    return f"def {row.name}({', '.join(every)}, **rest: Unpack[_Rest]) -> {returned}: ..."


def _argument(row: Row, name: str) -> str:
    default = row.arguments[name]
    told = "" if default is REQUIRED else f" = {default!r}"
    return f"{name}: {_type(row, name)}{told}"


def _type(row: Row, name: str) -> str:
    default = row.arguments[name]
    if name in row.library.ignored:
        return "object"
    if name in row.remedies:
        return _refused(default if row.only(name) == default else bool)
    option = next((ours for ours, source in row.sources.items() if source == name), None)
    if option == "state_dtype":
        return "StateDtype"
    kind = row.cls._schema().fields[option].type if option else float  # a part of an option
    told = kind.__name__ if isinstance(kind, type) else str(kind).removeprefix("typing.")
    return f"{told} | None" if default is None else told


def _refused(only: Any) -> str:
    """Return a type with one value; no float has one."""
    if only is None or isinstance(only, type):
        return str(only) if only is None else only.__name__
    if isinstance(only, tuple):
        return f"tuple[{', '.join(type(x).__name__ for x in only)}]"
    return "float" if isinstance(only, float) else f"Literal[{only!r}]"


# README.


def table() -> str:
    """Return a line for each row; what has our name and numbers shares one."""
    lines = ["| you come from | write |", "|---|---|"]
    for name, rows in LIBRARIES.items():
        title = next(iter(rows.values())).library.title
        same = [row for row in rows.values() if call(row) == f"{row.cls.__name__}()"]
        if same:
            told = ", ".join(f"`{row.name}`" for row in same)
            lines.append(f"| {title} {told} | `presets.{name}`: our classes with their defaults |")
        lines += [
            f"| {title} `{row.name}{_only_with(row)}` | `{row.title}`: `{call(row)}` |"
            for row in rows.values()
            if row not in same
        ]
    return "".join(f"{line}\n" for line in lines)


def _only_with(row: Row) -> str:
    """Return the arguments without whose other value there is no such preset."""
    needed = [n for n in row.remedies if n in row.arguments and row.only(n) != row.arguments[n]]
    return f"({', '.join(f'{n}={row.only(n)!r}' for n in needed)})" if needed else ""


def write() -> None:
    for library, rows in LIBRARIES.items():
        replace(module_of(library), IN_CODE, types(rows))
    replace(README, IN_README, table())


def replace(place: Path, marks: tuple[str, str], made: str) -> None:
    text = place.read_text()
    first, last = marks
    assert text.count(first) == text.count(last) == 1, place
    place.write_text(text.partition(first)[0] + first + made + last + text.partition(last)[2])


if __name__ == "__main__":
    write()
