"""Checkpoints for the tests to damage, and what a run has to compare."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs

W, KEY = "param/W", "ferrostep.checkpoint"


class Run:
    """A run with some of everything."""

    def __init__(self, start: float) -> None:
        self.params = {
            "W": np.full((2, 3), start, np.float32),
            "h": np.full(3, start, ml_dtypes.bfloat16),
        }
        self.opt = fs.Adam(self.params, lr=0.1, betas=(0.5, 0.75))
        self.schedule = fs.schedulers.MultiStepLR(self.opt, [2, 4])
        self.opt.step({name: np.ones(a.shape, np.float32) for name, a in self.params.items()})

    def save(self, path: Path) -> None:
        extra = {"epoch": 3, "mask": np.array([True, False])}
        fs.save_checkpoint(path, optimizer=self.opt, params=self.params,
                           schedulers=self.schedule, extra=extra)  # fmt: skip

    def load(self, path: Path) -> None:
        fs.load_checkpoint(path, optimizer=self.opt, params=self.params, schedulers=self.schedule)

    def contents(self) -> Any:
        state = self.opt.state_dict()
        states = {i: {n: _plain(v) for n, v in e.items()} for i, e in state["state"].items()}
        return copy.deepcopy((
            {name: _plain(a) for name, a in self.params.items()},
            states, state["param_groups"], state["skipped_steps"], self.schedule.state_dict(),
        ))  # fmt: skip


def _plain(value: Any) -> Any:
    return (value.dtype.name, value.shape, value.tobytes()) if hasattr(value, "dtype") else value


def unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def pack(header: dict[str, Any] | str, body: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return len(text).to_bytes(8, "little") + text + body


def refused(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    run = Run(2.0)
    before = run.contents()
    with pytest.raises(ValueError, match=message):
        run.load(path)
    assert run.contents() == before


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


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def optimizer(n: int = 100, value: float = 1.0) -> fs.Optimizer:
    opt = fs.SGD([np.full(n, value, np.float32)], momentum=0.9)
    opt.step([np.ones(n, np.float32)])
    return opt
