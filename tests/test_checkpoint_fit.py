"""Checkpoints that do not fit: told whole, before a byte is read; and what is not saved at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers
from ferrostep.checkpoint import container
from support import programs
from support.checkpoints import header_of, write

HUGE = 6 << 30


def enlarged(path: Path, name: str) -> None:
    """Make one tensor of a file a huge one, which lies at its end."""
    header, body = header_of(path)
    order = sorted(header.keys() - {"__metadata__"}, key=lambda n: header[n]["data_offsets"])
    kept = b""
    for other in order:
        if other != name:
            begin, end = header[other]["data_offsets"]
            header[other]["data_offsets"] = [len(kept), len(kept) + end - begin]
            kept += body[begin:end]
    header[name] = {
        "dtype": "F32",
        "shape": [HUGE // 4],
        "data_offsets": [len(kept), len(kept) + HUGE],
    }
    write(path, header, kept, HUGE)


def saved(path: Path) -> dict[str, Any]:
    p = np.arange(3, dtype=np.float32)
    opt = fs.Adam([p])
    opt.step([np.ones(3, np.float32)])
    fs.save_checkpoint(path, optimizer=opt, params=[p], extra={"a": np.ones(2, np.float32)})
    return {"optimizer": opt, "params": [p]}


@pytest.mark.parametrize("name", ["param/0", "state/0/exp_avg"])
@pytest.mark.parametrize("unbound", [False, True])
def test_sizes_are_compared_before_anything_is_read(
    name: str, unbound: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = saved(tmp_path / "f")
    enlarged(tmp_path / "f", name)
    if unbound:
        given["optimizer"] = fs.Adam()
        given["optimizer"].update(given["params"], [np.ones(3, np.float32)])

    def read(*_: Any) -> None:
        raise AssertionError("was read")

    monkeypatch.setattr(container.Container, "read", read)
    with pytest.raises(ValueError, match=rf"\({HUGE // 4},\)"):
        fs.load_checkpoint(tmp_path / "f", **given)


@pytest.mark.parametrize("size", [8, HUGE])
def test_a_tensor_that_nothing_refers_to(size: int, tmp_path: Path) -> None:
    given = saved(tmp_path / "f")
    header, body = header_of(tmp_path / "f")
    place = [len(body), len(body) + size]
    header["extra/99"] = {"dtype": "U8", "shape": [size], "data_offsets": place}
    write(tmp_path / "f", header, body, size)
    with pytest.raises(ValueError, match="the file has the tensor 'extra/99', which nothing in it"):
        fs.load_checkpoint(tmp_path / "f", **given)


def test_a_tensor_that_is_referred_to_twice(tmp_path: Path) -> None:
    given = saved(tmp_path / "f")
    header, body = header_of(tmp_path / "f")
    content = json.loads(header["__metadata__"]["ferrostep.checkpoint"])
    content["extra"]["b"] = content["extra"]["a"]
    header["__metadata__"]["ferrostep.checkpoint"] = json.dumps(content)
    write(tmp_path / "f", header, body)
    with pytest.raises(ValueError, match="the tensor 'extra/0' has 2 uses, wanted one"):
        fs.load_checkpoint(tmp_path / "f", **given)


@pytest.mark.parametrize("where", ["header", "content"])
def test_a_key_that_comes_twice_in_a_long_header(where: str, tmp_path: Path) -> None:
    text = "{" + ",".join(f'"k{i}":0' for i in range(200_000)) + ',"z":0,"z":0}'
    if where == "content":
        text = json.dumps({"__metadata__": {"ferrostep.checkpoint": text}})
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text.encode())
    code = """
import sys, ferrostep as fs
try:
    fs.load_checkpoint(sys.argv[1])
except ValueError as error:
    print(str(error).endswith("has the key 'z' twice"))
"""  # quadratic, it would take half an hour
    assert programs.output(code, str(tmp_path / "f"), timeout=100) == ["True"]


def lines(error: pytest.ExceptionInfo[ValueError]) -> list[str]:
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_all_differences_at_once_and_parameters_first(tmp_path: Path) -> None:
    p = {"W": np.ones((2, 3)), "b": np.ones(3), "old": np.ones(1), "h": np.ones(2)}
    a, b = fs.Adam(p), fs.SGD([np.ones(2)])
    a.step({name: x * 1 for name, x in p.items()})
    b.param_groups[0]["lr"] = 0.5
    pair = [schedulers.StepLR(a, 3), schedulers.StepLR(b, 3)]
    fs.save_checkpoint(tmp_path / "f", params=p, optimizer={"a": a, "b": b}, schedulers=pair,
                       extra={"x": np.ones(1)})  # fmt: skip
    q = {"W": np.zeros((3, 2)), "b": np.zeros(3, np.float32), "new": np.zeros(1), "h": np.zeros(2)}
    q["h"].flags.writeable = False
    others = {"a": fs.Adam({n: np.zeros(x.shape, x.dtype) for n, x in q.items()}),
              "b": fs.Adam([np.zeros(2)]), "c": fs.Adam([np.zeros(2)])}  # fmt: skip
    targets = [schedulers.StepLR(others["a"], 3), schedulers.ExponentialLR(others["b"], 0.5)]
    with pytest.raises(ValueError, match="10 things do not fit") as error:
        fs.load_checkpoint(tmp_path / "f", params=q, optimizer=others, schedulers=targets)
    assert lines(error) == [
        "the checkpoint lacks parameter 'new'",
        "the checkpoint has parameter 'old', which is not asked for",
        "parameter 'W' has shape (2, 3) and dtype float64 in the checkpoint, wanted shape (3, 2) "
        "and dtype float64",
        "parameter 'b' has shape (3,) and dtype float64 in the checkpoint, wanted shape (3,) "
        "and dtype float32",
        "parameter 'h' is read-only, wanted writable to be loaded in place",
        "the checkpoint lacks optimizer 'c'",
        "optimizer 'a': the state dict lacks parameter 'new'",
        "optimizer 'a': the state dict has parameter 'old', which is not asked for",
        "optimizer 'b': the checkpoint has the state of 'SGD', wanted 'Adam'",
        "the checkpoint has the state of 'StepLR', wanted 'ExponentialLR'",
    ]
    with pytest.raises(ValueError, match="the checkpoint also has schedulers") as error:
        fs.load_checkpoint(tmp_path / "f", params=q, optimizer=others)
    assert len(lines(error)) == 10


def test_groups_and_options_are_told_too() -> None:
    source = fs.Adam([np.ones(3), np.ones(2)])
    source.step([np.ones(3), np.ones(2)])
    saved = source.state_dict()
    saved["param_groups"][0].update(lr=-1.0)
    saved["state"][0].update(step=-1, exp_avg=np.ones(5), more=np.ones(3))
    saved["state"][1].pop("exp_avg_sq")
    saved["skipped_steps"] = "many"
    with pytest.raises(ValueError, match="6 things do not fit") as error:
        fs.Adam([np.zeros(3), np.zeros(2)]).load_state_dict(saved)
    found = lines(error)
    assert [line.split(",")[0].split(":")[0] for line in found] == [
        "Invalid learning rate",
        "the step of parameter 0 must be a whole number from 0 to 4611686018427387904",
        "the state of parameter 0 has unknown arrays ['more']",
        "state 'exp_avg' of parameter 0 has shape (5",
        "the state of parameter 1 lacks ['exp_avg_sq']",
        "the state dict's skipped_steps must be a whole number from 0 to 4611686018427387904",
    ]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    fs.save_checkpoint(tmp_path / "f", params={f"p{i}": np.ones(2) for i in range(100)})
    with pytest.raises(ValueError, match="100 things do not fit") as error:
        fs.load_checkpoint(tmp_path / "f", params={f"p{i}": np.ones(3) for i in range(100)})
    assert lines(error)[0].startswith("parameter 'p0' has shape (2,)")
    assert lines(error)[-1] == "and 70 more"
    assert len(lines(error)) == 31
