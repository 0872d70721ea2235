"""Checkpoints that do not fit: told whole, before a byte is read; and what is not saved at all."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep import schedulers
from ferrostep.checkpoint import container, values
from support import programs

HUGE = 6 << 30


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(path: Path, header: dict[str, Any], body: bytes, more: int = 0) -> None:
    """Write a file with a hole of `more` bytes at its end: it takes no space."""
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + body)
        file.truncate(8 + len(text) + len(body) + more)


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
    with pytest.raises(ValueError, match="the tensor 'extra/0' has two uses"):
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
        "parameter 'W' is float64 (2, 3) in the checkpoint, wanted float64 (3, 2)",
        "parameter 'b' is float64 (3,) in the checkpoint, wanted float32 (3,)",
        "parameter 'h' is read-only",
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
        "the state of parameter 0 has unknown arrays",
        "state 'exp_avg' of parameter 0 has shape (5",
        "the state of parameter 1 lacks ['exp_avg_sq']",
        "the state dict's skipped_steps must be a whole number from 0 to 4611686018427387904",
    ]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    fs.save_checkpoint(tmp_path / "f", params={f"p{i}": np.ones(2) for i in range(100)})
    with pytest.raises(ValueError, match="100 things do not fit") as error:
        fs.load_checkpoint(tmp_path / "f", params={f"p{i}": np.ones(3) for i in range(100)})
    assert lines(error)[0].startswith("parameter 'p0' is float64 (2,)")
    assert lines(error)[-1] == "and 70 more"
    assert len(lines(error)) == 31


# Depth and length ------------------------------------------------------------------------------

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
        with pytest.raises(ValueError, match=r"nested too deeply \(more than 100\)"):
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
        with pytest.raises(ValueError, match=r"extra\['x'\] has more than 4300 digits"):
            fs.save_checkpoint(path, extra={"x": value})
    text = '{"a": ' + "9" * 5000 + "}"
    path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
    with pytest.raises(ValueError, match="the header has an integer of 5000 digits"):
        fs.load_checkpoint(path)


def test_a_header_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"cannot save to .*header too large"):
        fs.save_checkpoint(tmp_path / "f", extra={"x": "x" * container.MAX_HEADER})
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


# Aliases and counts ----------------------------------------------------------------------------

BASE = np.arange(24.0).reshape(4, 6)
ALIASES: dict[str, tuple[Any, str]] = {
    "the same": ([BASE, BASE], "parameter 0 and parameter 1 share memory"),
    "transposed": ({"a": BASE, "b": BASE.T}, "parameter 'a' and parameter 'b' share"),
    "reversed": ([BASE[1], np.ones(3), BASE[0:2, ::-2]], "share memory"),
    "by bytes": ([BASE[0], BASE.view(np.uint8)[0, 3:4]], "share memory"),
    "with itself": ([np.lib.stride_tricks.as_strided(BASE, (3, 3), (8, 8))], "elements that share"),
    "broadcast": ([np.lib.stride_tricks.as_strided(BASE, (3, 3), (0, 8))], "elements that share"),
}
APART: dict[str, Any] = {
    "columns": [BASE[:, i] for i in range(6)],
    "interlaced": [BASE.reshape(-1)[i::4] for i in range(4)],
    "blocks": [BASE[:2, :3], BASE[:2, 3:], BASE[2:, ::-1]],
    "fields": [BASE.view(np.float32)[:, ::2], BASE.view(np.float32)[:, 1::2]],
    "empty": [BASE, BASE[:0], BASE[:, :0]],
    "number": [BASE[0, 0, ...], BASE[0, 1, ...]],
}


@pytest.mark.parametrize("kind", ALIASES)
def test_parameters_that_share_memory(kind: str, tmp_path: Path) -> None:
    given, message = ALIASES[kind]
    plain = {k: v.copy() for k, v in given.items()} if isinstance(given, dict) else [
        v.copy() for v in given
    ]  # fmt: skip
    fs.save_checkpoint(tmp_path / "f", params=plain)
    before = BASE.copy()
    with pytest.raises(ValueError, match=message):
        fs.load_checkpoint(tmp_path / "f", params=given)
    assert (before == BASE).all()
    with pytest.raises(ValueError, match=message):
        fs.save_checkpoint(tmp_path / "g", params=given)
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("kind", APART)
def test_parameters_that_only_lie_close(kind: str, tmp_path: Path) -> None:
    wanted = [array.copy() for array in APART[kind]]
    fs.save_checkpoint(tmp_path / "f", params=APART[kind])
    before = BASE.copy()
    try:
        BASE[...] = -1
        fs.load_checkpoint(tmp_path / "f", params=APART[kind])
        for array, values_before in zip(APART[kind], wanted, strict=True):
            np.testing.assert_array_equal(array, values_before)
    finally:
        BASE[...] = before


def test_an_object_with_two_names_is_refused(tmp_path: Path) -> None:
    opt = fs.SGD([np.ones(2)])
    schedule = schedulers.StepLR(opt, 3)
    with pytest.raises(ValueError, match="the optimizers 'a' and 'b' are the same object"):
        fs.save_checkpoint(tmp_path / "f", optimizer={"a": opt, "b": opt})
    with pytest.raises(ValueError, match="the schedulers 0 and 1 are the same object"):
        fs.save_checkpoint(tmp_path / "f", schedulers=[schedule, schedule])
    twins = {name: fs.SGD([np.ones(2)]) for name in "ab"}
    pair = [schedulers.StepLR(o, 3) for o in twins.values()]
    fs.save_checkpoint(tmp_path / "f", optimizer=twins, schedulers=pair)
    with pytest.raises(ValueError, match="the optimizers 'a' and 'b' are the same object"):
        fs.load_checkpoint(tmp_path / "f", optimizer={"a": opt, "b": opt}, partial=True)
    with pytest.raises(ValueError, match="the schedulers 0 and 1 are the same object"):
        fs.load_checkpoint(tmp_path / "f", schedulers=[schedule] * 2, partial=True)


@pytest.mark.parametrize("step", [-1, 1.5, 2**62 + 1, 2**63 - 1, 2**63, 2.0**70, math.nan, "1"])
@pytest.mark.parametrize("unbound", [False, True])
def test_a_step_count_that_cannot_be_saved_is_not_loaded(
    step: Any, unbound: bool, tmp_path: Path
) -> None:
    source = fs.Adam([np.ones(2)])
    source.step([np.ones(2)])
    saved = source.state_dict()
    opt = fs.Adam(None if unbound else [np.ones(2)])
    opt.load_state_dict(saved)
    saved["state"][0]["step"] = step
    with pytest.raises(ValueError, match="the step of parameter 0 must be a whole number"):
        opt.load_state_dict(saved)
    assert opt.state_dict()["state"][0]["step"] == 1
    saved["state"][0]["step"] = 2**62
    opt.load_state_dict(saved)
    p = [np.ones(2)]
    opt.update(p, [np.ones(2)]) if unbound else opt.step([np.ones(2)])
    opt.save(tmp_path / "f")


@pytest.mark.parametrize(
    "damage", [{"more": np.ones(2)}, {"exp_avg": None}, {"exp_avg": np.ones(2, int)}]
)
def test_what_an_unbound_optimizer_could_not_save_it_does_not_load(damage: dict[str, Any]) -> None:
    source = fs.Adam([np.ones(2)])
    source.step([np.ones(2)])
    saved = source.state_dict()
    saved["state"][0].update(damage)
    with pytest.raises(ValueError, match=r"unknown arrays|lacks|wanted a float"):
        fs.Adam().load_state_dict(saved)
