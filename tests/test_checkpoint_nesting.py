"""Depth and length of what is saved: what could not be read back is not written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.checkpoint import container, values
from support.checkpoints import header_of, write

WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "dict": lambda x: {"a": x},
    "dict of numbers": lambda x: {1: x},
    "counter": lambda x: Counter({1: x}),
}


def nested(kind: str, depth: int) -> Any:
    value: Any = ()
    for _ in range(depth - 1):
        value = WRAPPERS[kind](value)
    return value


def test_a_key_may_be_nested_as_deeply(tmp_path: Path) -> None:
    extra = {"x": {nested("tuple", values.MAX_DEPTH - 2): 1}}
    fs.save_checkpoint(tmp_path / "f", extra=extra)
    assert repr(fs.load_checkpoint(tmp_path / "f")) == repr(extra)
    with pytest.raises(ValueError, match="nested too deeply"):
        fs.save_checkpoint(tmp_path / "f", extra={"x": {nested("tuple", values.MAX_DEPTH - 1): 1}})


@pytest.mark.parametrize("kind", WRAPPERS)
def test_what_is_nested_too_deeply_is_not_saved(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    for depth in (10, values.MAX_DEPTH - 1):
        extra = {"x": nested(kind, depth)}
        fs.save_checkpoint(path, extra=extra)
        assert repr(fs.load_checkpoint(path)) == repr(extra)
    before = path.read_bytes()
    for depth in (values.MAX_DEPTH, 200, 400, 990, 20_000):
        with pytest.raises(ValueError, match="nested too deeply, wanted at most 100 levels"):
            fs.save_checkpoint(path, extra={"x": nested(kind, depth)})
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["[", '{"a":', '{"$tuple":[', '{"$dict":[[1,'])
@pytest.mark.parametrize("depth", [101, 200, 320, 900, 5000])
def test_what_is_nested_too_deeply_is_not_loaded(text: str, depth: int, tmp_path: Path) -> None:
    path = tmp_path / "f"
    closing = "".join({"[": "]", "{": "}"}[c] for c in reversed(text) if c in "[{")
    deep = text * depth + "0" + closing * depth
    fs.save_checkpoint(path, extra={"x": "HERE", "y": [1]}, params=[np.ones(1)])
    header, body = header_of(path)
    content = header["__metadata__"]["ferrostep.checkpoint"]
    for place in ('"HERE"', '"params": [0]'):
        new = deep if place == '"HERE"' else f'"params": {deep}'
        header["__metadata__"]["ferrostep.checkpoint"] = content.replace(place, new)
        write(path, header, body)
        with pytest.raises(ValueError, match=r"nested too deeply|different names or positions"):
            fs.load_checkpoint(path, params=[np.ones(1)])


def test_huge_integers(tmp_path: Path) -> None:
    path = tmp_path / "f"
    most = 10**values.MAX_DIGITS - 1
    for value in (most // 10, -(most // 10), 2**127):
        fs.save_checkpoint(path, extra={"x": value})
        assert fs.load_checkpoint(path) == {"x": value}
    for value in (10**values.MAX_DIGITS, -(10 ** (2 * values.MAX_DIGITS))):
        with pytest.raises(ValueError, match=r"extra\['x'\] must have at most 4300 digits, found"):
            fs.save_checkpoint(path, extra={"x": value})
    text = '{"a": ' + "9" * 5000 + "}"
    path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
    with pytest.raises(
        ValueError, match="the header has an integer of 5000 digits, wanted at most"
    ):
        fs.load_checkpoint(path)


def test_a_header_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"cannot save to .*header too large"):
        fs.save_checkpoint(tmp_path / "f", extra={"x": "x" * container.MAX_HEADER})
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
