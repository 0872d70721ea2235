"""``ferrostep inspect``: what is in a checkpoint is told, and what is wrong with a damaged one."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import PLAIN, Case
from ferrostep import inspection
from support import averages
from support.checkpoints import KEY, Run, W, header_of, pack, unpack, write
from support.schedules import SCHEDULES, optimizer, stepped


def read(path: Path) -> Any:
    """What is printed for programs."""
    return json.loads(inspection.run(Namespace(file=path, json=True)))


def page(path: Path) -> str:
    return inspection.run(Namespace(file=path, json=False))


def table(path: Path, head: str) -> list[list[str]]:
    """The rows of the table whose head begins with these words, cut where two spaces are."""
    (found,) = (
        part for part in page(path).split("\n\n") if " ".join(part.split()).startswith(head)
    )
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in found.splitlines()[1:]
    ]


# What there is.


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_every_class(case: Case, tmp_path: Path) -> None:
    params = {"m": np.ones((3, 2)), "v": np.ones((2, 2), np.float32)}
    opt = case.make(params)
    opt.step({name: np.ones(p.shape, p.dtype) for name, p in params.items()})
    path = tmp_path / "run"
    opt.save(path)
    name = case.optimizer.__name__
    assert table(path, "optimizer class") == [["-", name, "2", "1", "1", "0", "propagate"]]
    ((*_, options),) = table(path, "optimizer group")
    assert f"lr={opt.param_groups[0]['lr']!r}" in options
    saved = read(path)
    assert [found["class"] for found in saved["optimizers"]] == [name]
    shown = {a["name"]: (a["dtype"], tuple(a["shape"]), a["bytes"]) for a in saved["arrays"]}
    wanted = {f"param/{key}": p for key, p in params.items()}
    wanted |= {
        f"state/{key}/{state}": array
        for key, entry in opt.state.items()
        for state, array in entry.items()
        if hasattr(array, "dtype")
    }
    assert shown == {key: (a.dtype.name, a.shape, a.nbytes) for key, a in wanted.items()}
    assert [row[0] for row in table(path, "array")] == [a["name"] for a in saved["arrays"]]


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_scheduler(name: str, tmp_path: Path) -> None:
    scheduler = SCHEDULES[name].make(stepped())
    scheduler.step()
    fs.save_checkpoint(tmp_path / "run", schedulers={"rates": scheduler})
    ((label, cls, epoch, lr, *_),) = table(tmp_path / "run", "scheduler")
    assert (label, cls, epoch) == ("rates", type(scheduler).__name__, str(scheduler.last_epoch))
    assert lr == repr(scheduler.get_last_lr())
    (saved,) = read(tmp_path / "run")["schedulers"]
    assert saved["state"]["last_epoch"] == 1


def test_a_scheduler_of_the_users_own(tmp_path: Path) -> None:
    class Own:
        def state_dict(self) -> list[float]:
            return [0.5, float("inf")]

        def load_state_dict(self, state: Any) -> None: ...

    fs.save_checkpoint(tmp_path / "run", schedulers=[Own()])
    assert table(tmp_path / "run", "scheduler") == [["0", "Own", "-", "-", "[0.5, inf]"]]


def test_averages(tmp_path: Path) -> None:
    params, ema = averages.made()
    mean = fs.averages.Mean(params)
    fs.save_checkpoint(tmp_path / "run", averages={"slow": ema, "mean": mean})
    assert table(tmp_path / "run", "average") == [
        ["slow", "EMA", "2", "2", "decay=0.5, warmup=True"],
        ["mean", "Mean", "2", "0"],
    ]
    assert "parameters  not saved" in page(tmp_path / "run")
    assert "average/slow/w" in {a["name"] for a in read(tmp_path / "run")["arrays"]}


def test_wrappers(tmp_path: Path) -> None:
    params = {"w": np.ones((2, 3), np.float32), "t": np.ones((4, 1))}
    opt = fs.Accumulator(fs.Lookahead(fs.Adam(params), k=2), 4)
    for t in range(6):
        opt.step({"w": np.full((2, 3), float(t)), "t": fs.Rows([t % 4], np.ones((1, 1)))})
    opt.save(tmp_path / "run")
    first, second = table(tmp_path / "run", "optimizer wrapped")
    assert first[:2] == ["-", "Accumulator"]
    assert first[2].startswith("steps=4, count=2, sums=")
    assert second[:2] == ["-", "Lookahead"]
    assert second[2].startswith("k=2, alpha=0.5, steps=1, slow={")
    (saved,) = read(tmp_path / "run")["optimizers"]
    assert [own["class"] for own in saved["wrappers"]] == ["Accumulator", "Lookahead"]


def test_groups_steps_and_several_optimizers(tmp_path: Path) -> None:
    opt, other = optimizer(), fs.NAdam([np.ones(2)], nonfinite="skip")
    opt.step([np.ones(2), None])
    opt.step([np.ones(2), np.ones(1)])
    other.step([np.full(2, np.nan)])
    fs.save_checkpoint(tmp_path / "run", optimizer={"one": opt, "two": other})
    assert table(tmp_path / "run", "optimizer class") == [
        ["one", "SGD", "2", "2", "1 to 2", "0", "propagate"],
        ["two", "NAdam", "1", "1", "0", "1", "skip"],
    ]
    rows = table(tmp_path / "run", "optimizer group")
    assert [row[:3] for row in rows] == [["one", "0", "1"], ["one", "1", "1"], ["two", "0", "1"]]
    assert [row[3].split(",")[0] for row in rows] == ["lr=0.1", "lr=0.02", "lr=0.002"]


def test_some_of_everything(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(good)
    saved = read(path)
    header, _ = unpack(good)
    content = json.loads(header["__metadata__"][KEY])
    assert saved == {"file": str(path), "bytes": len(good), **content, "arrays": saved["arrays"]}
    assert (saved["version"], saved["ferrostep"]) == (1, fs.__version__)
    assert {a["name"]: a["bytes"] for a in saved["arrays"]} == {
        name: end - begin
        for name, tensor in header.items()
        if name != "__metadata__"
        for begin, end in [tensor["data_offsets"]]
    }
    assert table(path, "extra") == [["epoch", "3"], ["mask", "<array 'extra/0'>"]]


def test_names_do_nothing_to_a_terminal(good: bytes, tmp_path: Path) -> None:
    header, body = unpack(good)
    header["extra/\x1b"] = header.pop("extra/0")
    header["__metadata__"][KEY] = header["__metadata__"][KEY].replace("extra/0", r"extra/\u001b")
    (tmp_path / "run").write_bytes(pack(header, body))
    assert r"<array 'extra/\x1b'>" in page(tmp_path / "run")
    assert "\x1b" not in page(tmp_path / "run")
    fs.save_checkpoint(tmp_path / "run", params={"a\x1b[2Jb\nc": np.ones(1)}, extra={"\r": "\x07"})
    assert r"'param/a\x1b[2Jb\nc'  float64" in page(tmp_path / "run")
    assert set(page(tmp_path / "run")) & {"\x1b", "\r", "\x07"} == set()


def test_long_values_are_short(tmp_path: Path) -> None:
    fs.save_checkpoint(tmp_path / "run", extra={"long": [["x" * 1000] * 100] * 100})
    assert len(page(tmp_path / "run")) < 5000
    assert len(read(tmp_path / "run")["extra"]["long"]) == 100


def test_nothing(tmp_path: Path) -> None:
    fs.save_checkpoint(tmp_path / "run")
    assert "0 in arrays" in page(tmp_path / "run")
    assert read(tmp_path / "run")["arrays"] == []


# What is damaged.


def test_cut_off_anywhere(good: bytes, tmp_path: Path) -> None:
    for length in range(0, len(good), 7):
        (tmp_path / "f").write_bytes(good[:length])
        with pytest.raises(ValueError, match=r"cannot read .*/f': "):
            page(tmp_path / "f")


JUNK: list[Any] = [
    *(None, -1, 10**30, 0.5, "x", [], {}, [3], [{}], {"x": 1}),
    *({"$array": "extra/0"}, {"$array": W}, {"$tuple": []}, {"$dict": [[1, 2]]}, {"$?": 1}),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a container, with each of its keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def test_anything_in_the_place_of_anything(tmp_path: Path) -> None:
    """It is told, or refused by a ValueError."""
    path = tmp_path / "f"
    run = Run(1.0)
    wrapped = fs.Lookahead(run.opt)
    wrapped.step({name: np.ones(a.shape, np.float32) for name, a in run.params.items()})
    ema = fs.averages.EMA(run.params)
    fs.save_checkpoint(path, optimizer=wrapped, params=run.params, schedulers=run.schedule,
                       averages=ema, extra={"mask": np.ones(2, bool)})  # fmt: skip
    header, body = unpack(path.read_bytes())
    text = header["__metadata__"][KEY]
    refused = told = 0
    for i in range(len(list(places(json.loads(text))))):
        for junk in JUNK:
            content = json.loads(text)
            container, key = list(places(content))[i]
            container[key] = junk
            header["__metadata__"][KEY] = json.dumps(content)
            path.write_bytes(pack(header, body))
            try:
                page(path)
            except ValueError as error:
                wrong = str(error)
                refused += wrong.startswith("cannot read")
            else:
                told += bool(read(path))
    assert refused + told == len(JUNK) * len(list(places(json.loads(text))))
    assert refused > 500
    assert told > 300


def test_100_gigabytes_are_told_at_once(good: bytes, tmp_path: Path) -> None:
    """The file has a hole, which takes no space."""
    (tmp_path / "f").write_bytes(good)
    header, body = header_of(tmp_path / "f")
    size = 100 * 2**30
    content = json.loads(header["__metadata__"][KEY])
    content["params"].append("big")
    header["__metadata__"][KEY] = json.dumps(content)
    header["param/big"] = {
        "dtype": "U8", "shape": [size], "data_offsets": [len(body), len(body) + size]
    }  # fmt: skip
    try:
        write(tmp_path / "large", header, body, size)
    except OSError as error:
        pytest.skip(f"the file system has no such files: {error}")
    assert ["param/big", "uint8", f"({size},)", str(size)] in table(tmp_path / "large", "array")
