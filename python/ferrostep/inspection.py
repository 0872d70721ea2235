"""``ferrostep inspect``: what is in a checkpoint, as tables to read or as JSON for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from reprlib import Repr
from typing import Any

from ferrostep.checkpoint.inspected import extra_of, groups_of, inspect, readable, wrappers_of
from ferrostep.saved import whole
from ferrostep.shown import span

#: Values are the user's: of any length.
_short = Repr()
_short.maxother = _short.maxstring = 60
#: Of a group, what is told beside its options.
_PLACES = ("params", "param_names")
#: Of a scheduler, what has a column of its own.
_NOW = ("last_epoch", "_last_lr", "base_lrs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", help="what save, or save_checkpoint, has written", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON, with nothing left out")


def run(arguments: argparse.Namespace) -> str:
    """Return what the arguments ask for."""
    found = inspect(arguments.file)
    return json.dumps(found, indent=1) if arguments.json else "\n".join(_page(found))


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    """Tell all of it in tables, one below the other; there is none of what was not saved."""
    params = found["params"]
    yield from _columns(
        [
            ("file", _plain(found["file"])),
            ("bytes", f"{found['bytes']}, {sum(a['bytes'] for a in found['arrays'])} in arrays"),
            ("format", found["version"]),
            ("ferrostep", _plain(found["ferrostep"])),
            ("parameters", "not saved" if params is None else len(params)),
        ]
    )
    optimizers = found["optimizers"] or []
    tables: list[tuple[Sequence[str], Iterable[Sequence[Any]]]] = [
        (
            ("optimizer", "class", "parameters", "groups", "steps", "skipped", "nonfinite"),
            map(_optimizer, optimizers),
        ),
        (
            ("optimizer", "group", "parameters", "options"),
            (
                (_name(saved), i, len(group["params"]), _told(group, _PLACES))
                for saved in optimizers
                for i, group in enumerate(groups_of(saved))
            ),
        ),
        (
            ("optimizer", "wrapped in", "with"),
            (
                (_name(saved), _plain(own.get("class")), _told(own, ("class",)))
                for saved in optimizers
                for own in wrappers_of(saved)
            ),
        ),
        (
            ("scheduler", "class", "epoch", "lr", "state"),
            map(_scheduler, found["schedulers"] or ()),
        ),
        (
            ("average", "class", "parameters", "updates", "options"),
            map(_average, found["averages"] or ()),
        ),
        (
            ("extra", "value"),
            ((_plain(key), _short.repr(value)) for key, value in extra_of(found).items()),
        ),
        (("array", "dtype", "shape", "bytes"), map(_array, found["arrays"])),
    ]
    for head, rows in tables:
        if lines := list(rows):
            yield ""
            yield from _columns([head, *lines])


def _optimizer(saved: Mapping[str, Any]) -> Sequence[Any]:
    groups = groups_of(saved)
    count = sum(len(group["params"]) for group in groups)
    steps = [whole(entry["step"], "a step") for entry in saved["state"]]
    steps += [0] * (count - len(steps))  # of those without state
    rest = (saved["skipped_steps"], saved["nonfinite"])
    return _name(saved), _plain(saved["class"]), count, len(groups), span(steps), *rest


def _scheduler(saved: Mapping[str, Any]) -> Sequence[Any]:
    state = readable(saved["state"], "the state of a scheduler")
    if not isinstance(state, dict):  # of the user's own class
        return _name(saved), _plain(saved["class"]), "-", "-", _short.repr(state)
    epoch, lr = (_short.repr(state[key]) if key in state else "-" for key in _NOW[:2])
    return _name(saved), _plain(saved["class"]), epoch, lr, _told(state, _NOW)


def _average(saved: Mapping[str, Any]) -> Sequence[Any]:
    options = readable(saved["options"], "the options of an average")
    count, updates = len(saved["keys"]), saved["updates"]
    return _name(saved), _plain(saved["class"]), count, updates, _told(options, ())


def _array(saved: Mapping[str, Any]) -> Sequence[Any]:
    return _plain(saved["name"]), saved["dtype"], tuple(saved["shape"]), saved["bytes"]


def _name(saved: Mapping[str, Any]) -> str:
    return "-" if saved["name"] is None else _plain(saved["name"])


def _told(held: Mapping[Any, Any], left_out: Sequence[str]) -> str:
    shown = (f"{_plain(k)}={_short.repr(v)}" for k, v in held.items() if k not in left_out)
    return ", ".join(shown)


def _plain(value: Any) -> str:
    """Return a name as it is, if a terminal shows it so and does nothing else with it."""
    return value if isinstance(value, str) and value.isprintable() and value else repr(value)


def _columns(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    lines = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
