"""Damaged and foreign checkpoints: a ValueError that says why, and nothing has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array
from support.checkpoints import KEY, Run, W, pack, refused, unpack


def test_the_good_one_loads(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(pack(*unpack(good)))
    run = Run(2.0)
    run.load(tmp_path / "f")
    assert run.contents() == Run(1.0).contents()


def test_not_a_file(tmp_path: Path) -> None:
    run = Run(2.0)
    with pytest.raises(FileNotFoundError):
        run.load(tmp_path / "missing")
    with pytest.raises(ValueError, match="is a folder, wanted a regular file"):
        run.load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="socket, wanted a regular file"):
            run.load(tmp_path / "pipe")


def test_cut_off_anywhere(good: bytes, tmp_path: Path) -> None:
    for length in range(len(good)):
        refused(tmp_path / "f", good[:length], "cannot load")
    refused(tmp_path / "f", good + b"\0", "bytes, wanted [0-9]+ by its header")


FOREIGN = [
    (b"", "the file has 0 bytes, wanted at least 8"),
    (b"PK\3\4 a zip or torch.save", "the header's length must be at most .*, found"),
    (b"\x80\x04\x95pickle", "the header's length must be at most .*, found"),
    (b"\xff" * 64, "the header's length must be at most 56 .*, found 18446744073709551615"),
    (
        (100_000_001).to_bytes(8, "little") + bytes(100),
        "the header's length must be at most 100 .*, found 100000001",
    ),
    (pack("[]", b""), "must begin with '{', found"),
    (pack("{", b""), "the header must be JSON, found what is none"),
    (pack("{}", b""), "must be a checkpoint of ferrostep"),
    (pack('{"a":' * 50_000, b""), "nested too deeply"),
    (pack('{"__metadata__": {"a": 1}}', b""), "strings only, found"),
    (pack('{"__metadata__": {}, "__metadata__": {}}', b""), "key '__metadata__' twice"),
    (pack('{"a": NaN}', b""), "must be JSON, found NaN"),
    (pack('{"a": -1e999}', b""), "must have numbers of float64, found -1e999"),
    ((2).to_bytes(8, "little") + b"{\xff", "must be UTF-8"),
]


@pytest.mark.parametrize(("data", "message"), FOREIGN, ids=[m for _, m in FOREIGN])
def test_foreign(data: bytes, message: str, tmp_path: Path) -> None:
    refused(tmp_path / "f", data, message)


def test_a_header_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.write((200_000_000).to_bytes(8, "little"))
        file.truncate(200_000_100)  # a hole: it takes no space
    with pytest.raises(ValueError, match="must be at most 100000000"):
        Run(2.0).load(path)


HEADERS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda h: h.pop(W), "begins at"),
    (lambda h: h[W].pop("shape"), "must have a dtype, a shape and data_offsets"),
    (lambda h: h[W].update(more=1), "must have a dtype, a shape and data_offsets"),
    (lambda h: h[W].update(dtype="F8_E4M3"), "unknown dtype 'F8_E4M3', wanted one of BOOL"),
    (lambda h: h[W].update(dtype=["F32"]), "unknown dtype"),
    (lambda h: h[W].update(dtype="F64"), "has 24 bytes, wanted 48 by its shape"),
    (lambda h: h[W].update(dtype="I32"), r"parameter 'W' has shape \(2, 3\) and dtype int32"),
    (lambda h: h[W].update(shape=[6]), r"parameter 'W' has shape \(6,\) and dtype float32"),
    (lambda h: h[W].update(shape=[-2, -3]), "list of up to 64 sizes, found"),
    (lambda h: h[W].update(shape=[2.0, 3]), "list of up to 64 sizes, found"),
    (lambda h: h[W].update(shape=[True, 6]), "list of up to 64 sizes, found"),
    (lambda h: h[W].update(shape=[2, 3] + [1] * 63), "list of up to 64 sizes, found"),
    (lambda h: h[W].update(shape=[2**62, 2**62, 6]), "by its shape"),
    (lambda h: h[W].update(data_offsets=[0]), "two positions, found"),
    (lambda h: h[W].update(data_offsets=[24, 0]), "has -24 bytes"),
    (lambda h: h[W].update(data_offsets=[x + 2 for x in h[W]["data_offsets"]]), "begins at"),
    (lambda h: h.update({"param/Q": h.pop(W)}), "lacks the tensor 'param/W'"),
    (lambda h: h.update({"other": h.pop(W)}), "has the tensor 'other', which nothing"),
    (
        lambda h: h.update(e={"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}),
        "tensor 'e', which nothing",
    ),
    (lambda h: h["__metadata__"].update(more=""), r"the metadata has the keys .*'more'.*, wanted"),
    (lambda h: h["__metadata__"].pop(KEY), "must be a checkpoint of ferrostep"),
    (lambda h: h["__metadata__"].update({KEY: '{"extra": {}, "extra": {}}'}), "'extra' twice"),
]


@pytest.mark.parametrize(("change", "message"), HEADERS, ids=range(len(HEADERS)))
def test_a_tampered_header(
    good: bytes, change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    header, body = unpack(good)
    change(header)
    refused(tmp_path / "f", pack(header, body), message)


CONTENTS: list[tuple[str, Any, str]] = [
    ("more", 1, r"the content has the keys .*'more'.*, wanted"),
    ("version", 2, "version 2, wanted 1 for ferrostep"),
    ("version", True, "version True"),
    ("version", [], "version \\[\\]"),
    ("params", None, "tensor 'param/W', which nothing"),
    ("params", ["W", "W"], "different names"),
    ("params", ["W", 1], "different names"),
    ("params", ["W"], "tensor 'param/h', which nothing"),
    ("params", ["W", "Q"], "lacks the tensor "),
    ("params", {}, "different names"),
    ("optimizers", {}, "must be a list"),
    ("optimizers", [], "which nothing"),
    ("optimizers.0", 3, "must be an object"),
    ("optimizers.0.class", "SGD", "state of 'SGD', wanted 'Adam'"),
    ("optimizers.0.class", {}, "wanted 'Adam'"),
    ("optimizers.0.name", "x", "lacks the tensor "),
    ("optimizers.0.name", [], "different names"),
    ("optimizers.0.nonfinite", "hide", "nonfinite"),
    ("optimizers.0.skipped_steps", -1, "whole number"),
    ("optimizers.0.skipped_steps", 2**63, "whole number"),
    ("optimizers.0.groups", [], "0 groups, wanted 1"),
    ("optimizers.0.groups", 5, "must be a list"),
    ("optimizers.0.groups.0", 5, "must be a dict"),
    ("optimizers.0.groups.0.lr", {"$float": "nan"}, "Invalid learning rate"),
    ("optimizers.0.groups.0.lr", {"$float": "inf"}, "Invalid learning rate"),
    ("optimizers.0.groups.0.lr", -0.5, "Invalid learning rate"),
    ("optimizers.0.groups.0.lr", "0.5", "Invalid learning rate"),
    ("optimizers.0.groups.0.lr", 10**400, "Invalid learning rate"),
    ("optimizers.0.groups.0.lr", {"$float": "1"}, "values of a checkpoint, found"),
    ("optimizers.0.groups.0.lr", {"$pickle": "x"}, "values of a checkpoint, found"),
    ("optimizers.0.groups.0.lr", {"$array": "param/W"}, "values of a checkpoint, found"),
    ("optimizers.0.groups.0.betas", {"$tuple": [0.5, 1.0]}, "Invalid beta"),
    ("optimizers.0.groups.0.initial_lr", {"$float": "nan"}, "Invalid initial_lr"),
    ("optimizers.0.groups.0.initial_lr", [], "Invalid initial_lr"),
    ("optimizers.0.groups.0.momentum", 0.5, "unknown options"),
    ("optimizers.0.groups.0.decoupled_weight_decay", True, "decoupled_weight_decay"),
    ("optimizers.0.groups.0.state_dtype", "float64", "float16, bfloat16 or float32, found float64"),
    ("optimizers.0.groups.0.state_dtype", {"names": []}, "Invalid state_dtype"),
    ("optimizers.0.groups.0.amsgrad", 1, "Invalid amsgrad"),
    ("optimizers.0.groups.0.params", [0, 0], "wanted each once"),
    ("optimizers.0.groups.0.params", [0], "1 parameters, wanted 2"),
    ("optimizers.0.groups.0.params", ["0", "1"], "whole numbers"),
    ("optimizers.0.groups.0.param_names", ["W", "b"], "lacks parameter 'h'"),
    ("optimizers.0.state.0", None, "must be an object"),
    ("optimizers.0.state.0.step", -1, "whole number"),
    ("optimizers.0.state.0.step", 1.5, "whole number"),
    ("optimizers.0.state.0.step", "1", "whole number"),
    ("optimizers.0.state.0.param", 1, "different names or positions"),
    ("optimizers.0.state.0.param", 7, "unknown parameters"),
    ("optimizers.0.state.0.param", {"$float": "nan"}, "different names or positions"),
    ("optimizers.0.state.0.key", "h", "'state/h/exp_avg' has 2 uses, wanted one"),
    ("optimizers.0.state.0.arrays", ["exp_avg"], "which nothing"),
    ("optimizers.0.state.0.arrays", [["exp_avg"], "exp_avg_sq"], "different names"),
    ("optimizers.0.state.0.more", 1, r"has the keys .*'more'.*, wanted"),
    ("schedulers.0.class", "StepLR", "state of 'StepLR'"),
    ("schedulers.0.state", 3, "refuses its state"),
    ("schedulers.0.state.gamma", "x", "refuses its state"),
    ("schedulers.0.state.milestones", {}, "refuses its state"),
    ("schedulers.0.state.milestones", {"$counter": [[[], 1]]}, "must be hashable, found list"),
    ("schedulers.0.state.milestones", {"$counter": [[1, 1], [1, 2]]}, "key 1 twice"),
    ("schedulers.0.state.milestones", {"$counter": [1]}, "pairs of key and value"),
    ("schedulers.0.state.base_lrs", [], "refuses its state"),
    ("schedulers.0.state.optimizer", 1, "refuses its state"),
    ("extra", [], "must be an object"),
    ("extra.mask", {"$array": "extra/1"}, "lacks the tensor 'extra/1'"),
    ("extra.mask", {"$array": "param/W"}, "'param/W' has 2 uses, wanted one"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "message"), CONTENTS, ids=str)
def test_tampered_contents(
    good: bytes, place: str, value: Any, message: str, tmp_path: Path
) -> None:
    header, body = unpack(good)
    content = found = json.loads(header["__metadata__"][KEY])
    *path, last = (int(key) if key.isdigit() else key for key in place.split("."))
    for key in path:
        found = found[key]
    found[last] = value
    header["__metadata__"][KEY] = json.dumps(content)
    refused(tmp_path / "f", pack(header, body), message)


def test_a_boolean_that_is_neither(good: bytes, tmp_path: Path) -> None:
    header, body = unpack(good)
    begin = header["extra/0"]["data_offsets"][0]
    data = pack(header, body[:begin] + b"\2" + body[begin + 1 :])
    refused(tmp_path / "f", data, "must be 0 or 1, found 2")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"W": np.ones((2, 3)), "h": np.ones(3, ml_dtypes.bfloat16)},
            r"wanted shape \(2, 3\) and dtype float64",
        ),
        ({"W": np.ones((3, 2), np.float32), "h": np.ones(3, ml_dtypes.bfloat16)}, r"\(3, 2\)"),
        (
            {"W": np.ones((2, 3), np.float32), "h": np.ones(3, np.float16)},
            "wanted .* dtype float16",
        ),
        ({"W": np.ones((2, 3), np.float32)}, "has parameter 'h', which is not asked for"),
        ([np.ones((2, 3), np.float32), np.ones(3, ml_dtypes.bfloat16)], "lacks parameter 0\n"),
    ],
)
def test_parameters_that_do_not_fit(good: bytes, target: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(good)
    with pytest.raises(ValueError, match=message):
        fs.load_checkpoint(tmp_path / "f", params=target, partial=True)
    arrays: list[Array] = list(target.values()) if isinstance(target, dict) else target
    assert all((a == 1).all() for a in arrays)


def test_read_only_parameters(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(good)
    run = Run(2.0)
    before = run.contents()
    run.params["h"].flags.writeable = False
    with pytest.raises(ValueError, match="'h' is read-only"):
        run.load(tmp_path / "f")
    assert run.contents() == before


def test_loading_imports_no_pickle_and_no_safetensors(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(good)
    code = f"""
import sys, numpy as np, ml_dtypes, ferrostep as fs
import pickle
for name in ("load", "loads", "Unpickler"):
    setattr(pickle, name, None)
p = {{"W": np.zeros((2, 3), np.float32), "h": np.zeros(3, ml_dtypes.bfloat16)}}
print(fs.load_checkpoint({str(tmp_path / "f")!r}, params=p, partial=True)["epoch"])
print("safetensors" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["3", "False"], done.stderr
