"""Anything changed anywhere in a checkpoint: it loads, or is a ValueError that touches nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrostep.checkpoint.inspected import inspect
from support.checkpoints import KEY, Run, W, pack, unpack


@st.composite
def corruptions(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    kind = draw(st.sampled_from(["flip", "cut", "insert", "delete", "splice"]))
    where = draw(st.floats(0, 1, exclude_max=True))
    # The header is where a change can mislead; the arrays are most of the file.
    header = draw(st.booleans())
    bits = draw(st.integers(1, 255))
    some = draw(st.binary(min_size=1, max_size=9))

    def corrupt(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little") + 8
        i = int(where * (min(length, len(data)) if header else len(data)))
        return {
            "flip": data[:i] + bytes(b ^ bits for b in data[i : i + 1]) + data[i + 1 :],
            "cut": data[:i],
            "insert": data[:i] + some + data[i:],
            "delete": data[:i] + data[i + len(some) :],
            "splice": data[:i] + some + data[i + len(some) :],
        }[kind]

    return corrupt


def survives(data: bytes, path: Path) -> None:
    """It loads, and then the library reads it too; or it is a ValueError, and nothing changed."""
    from safetensors import safe_open

    path.write_bytes(data)
    run = Run(2.0)
    before = run.contents()
    try:
        run.load(path)
    except ValueError:
        assert run.contents() == before
    else:
        assert inspect(path)["optimizers"]
        with safe_open(path, "np") as file:
            assert W in file.keys()  # noqa: SIM118
        run.opt.step({name: np.ones(a.shape, np.float32) for name, a in run.params.items()})


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(corruptions(), min_size=1, max_size=3))
def test_any_corruption_loads_or_is_a_value_error(
    good: bytes, changes: list[Callable[[bytes], bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = good
    for change in changes:
        data = change(data)
    survives(data, tmp_path_factory.getbasetemp() / "corrupt")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from([{"$float": "nan"}, {"$array": "extra/0"}]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3) | st.sampled_from(["$tuple", "$dict"]), inner),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, item in items:
        found.append((*path, key))
        if isinstance(item, dict | list):
            found += places(item, (*path, key))
    return found


@settings(max_examples=400, deadline=None)
@given(data=st.data(), value=JSON, in_header=st.booleans())
def test_any_value_anywhere(
    good: bytes, data: st.DataObject, value: Any, in_header: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    header, body = unpack(good)
    content = json.loads(header["__metadata__"][KEY])
    found: Any = header if in_header else content
    *path, last = data.draw(st.sampled_from(places(found)))
    for key in path:
        found = found[key]
    found[last] = value
    if not in_header:
        header["__metadata__"][KEY] = json.dumps(content)
    survives(pack(header, body), tmp_path_factory.getbasetemp() / "corrupt")
