"""Numbers that a rule remembers in checkpoints: damaged ones are refused with nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.checkpoints import KEY, pack, unpack
from support.remembered import params, same, stepped


def content(path: Path) -> Any:
    header, _ = unpack(path.read_bytes())
    return json.loads(header["__metadata__"][KEY])


def test_files_of_classes_that_remember_nothing_are_as_they_were(tmp_path: Path) -> None:
    """So files from before there were such numbers are read, too."""
    path = tmp_path / "run"
    fs.Adam(params()).save(path)
    assert all("memory" not in entry for entry in content(path)["optimizers"][0]["state"])
    stepped(fs.NAdam, 1).save(path)
    assert all(len(entry["memory"]) == 1 for entry in content(path)["optimizers"][0]["state"])


@pytest.mark.parametrize(
    ("memory", "text"),
    [
        (..., "lacks 'mu_product', without which NAdam cannot go on"),
        ({}, "lacks 'mu_product', without which NAdam cannot go on"),
        (
            3,
            r"memory of parameter 'w' must be an object of the numbers \['mu_product'\], found 3",
        ),
        (
            {"mu_product": 0.5, "step": 7},
            "must be an object of the numbers .*, found {'mu_product'",
        ),
        ({"exp_avg": 0.5}, "must be an object of the numbers .*, found {'exp_avg'"),
        ({"mu_product": {"$float": "nan"}}, "'mu_product' of parameter 'w' must be a number"),
        ({"mu_product": "1"}, "'mu_product' of parameter 'w' must be a number, found '1'"),
        ({"mu_product": [1.0, 2.0]}, "'mu_product' of parameter 'w' must be a number, found "),
    ],
    ids=str,
)
def test_tampered_files(memory: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    stepped(fs.NAdam, 3).save(path)
    header, body = unpack(path.read_bytes())
    found = json.loads(header["__metadata__"][KEY])
    entry = found["optimizers"][0]["state"][0]
    entry["memory"] = memory
    if memory is ...:
        del entry["memory"]
    header["__metadata__"][KEY] = json.dumps(found)
    path.write_bytes(pack(header, body))
    opt, twin = stepped(fs.NAdam, 1), stepped(fs.NAdam, 1)
    for strict in (True, False):
        with pytest.raises(ValueError, match=text):
            opt.load(path, strict=strict)
    same(opt, twin)


def test_a_memory_in_a_file_of_a_class_that_has_none(tmp_path: Path) -> None:
    path, opt = tmp_path / "run", fs.Momentum([np.ones(2)])
    opt.step([np.ones(2)])
    opt.save(path)
    header, body = unpack(path.read_bytes())
    found = json.loads(header["__metadata__"][KEY])
    found["optimizers"][0]["state"][0]["memory"] = {"mu_product": 1.0}
    header["__metadata__"][KEY] = json.dumps(found)
    path.write_bytes(pack(header, body))
    with pytest.raises(ValueError, match=r"must be an object of the numbers \[\], found"):
        opt.load(path)
