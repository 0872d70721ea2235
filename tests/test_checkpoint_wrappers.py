"""What a checkpoint has of wrappers, damaged anywhere: refused, and nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.checkpoints import KEY, pack, unpack
from support.wrappers import told

JUNK: list[Any] = [None, -1, 10**30, 0.5, "x", [], {}, [3], {"x": 1}, True, {"$array": "param/w"},
                   {"$array": "wrappers/9"}, {"$tuple": []}, {"$dict": [[1, 2]]}]  # fmt: skip


def made() -> tuple[dict[str, Any], fs.Accumulator]:
    params = {"w": np.ones((2, 3), np.float32), "t": np.ones((4, 1))}
    opt = fs.Accumulator(fs.Lookahead(fs.Adam(params), k=2), 4)
    for t in range(6):
        opt.step({"w": np.full((2, 3), float(t)), "t": fs.Rows([t % 4], np.ones((1, 1)))})
    return params, opt


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a container, with each of its keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def test_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    params, opt = made()
    opt.save(path)
    header, body = unpack(path.read_bytes())
    text = header["__metadata__"][KEY]

    def load(content: Any) -> None:
        header["__metadata__"][KEY] = json.dumps(content)
        path.write_bytes(pack(header, body))
        opt.load(path)

    load(json.loads(text))
    before = told([params, opt.state_dict()])
    count = len(list(places(json.loads(text)["optimizers"][0]["wrappers"])))
    assert count > 30
    refused = 0
    for i in range(count):
        for junk in [*JUNK, "away"]:
            content = json.loads(text)
            container, key = list(places(content["optimizers"][0]["wrappers"]))[i]
            if junk == container[key]:
                continue
            if junk == "away":
                del container[key]
            else:
                container[key] = junk
            try:
                load(content)
            except ValueError:
                refused += 1
                assert told([params, opt.state_dict()]) == before
            else:  # another k, another count of steps: what may be is taken
                assert key in ("k", "alpha", "steps", "indices") or junk in ("away", [], {})
                load(json.loads(text))
    assert refused > 0.9 * count * len(JUNK)


def test_wrappers_must_be_a_list(tmp_path: Path) -> None:
    path = tmp_path / "run"
    _, opt = made()
    opt.save(path)
    header, body = unpack(path.read_bytes())
    content = json.loads(header["__metadata__"][KEY])
    for junk in (3, "x", {}, [3], None):
        content["optimizers"][0]["wrappers"] = junk
        header["__metadata__"][KEY] = json.dumps(content)
        path.write_bytes(pack(header, body))
        with pytest.raises(ValueError, match="cannot load"):
            opt.load(path)
