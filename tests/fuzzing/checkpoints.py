"""Damaged checkpoints: each loads or is a ValueError, and what is refused has changed nothing."""

from __future__ import annotations

import copy
import json
import pickle
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import ml_dtypes
import numpy as np

import ferrostep as fs
from cases import CLASSES
from ferrostep import schedulers
from fuzzing.damage import mangled
from fuzzing.session import Found

#: In a JSON text; the last are such as a careless reader would allocate for.
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    -0.5,
    1e308,
    "",
    "x",
    "w0",
    "F32",
    "F16",
    "BF16",
    "bfloat16",
    [],
    {},
    [0],
    [0, 8],
    ["w0"],
    {"x": 1},
    [[]],
    2**31,
    2**53,
    2**63 - 1,
    2**64,
    10**30,
    [2**40],
    [2**62, 4],
    [2**31, 2**33],
    "param/w0",
    "state/w0/exp_avg",
    "extra/0",
    {"$array": "extra/0"},
    {"$array": "extra/1"},
    {"$array": "param/w0"},
    {"$tuple": [0.9, 0.9]},
    {"$dict": [[1, 2], [1, 3]]},
    {"$counter": [[1, 10**400]]},
    {"$float": "nan"},
    10**400,
    2**62,
    json.loads("[" * 90 + "]" * 90),
    json.loads('{"$dict":[[0,' * 60 + "1" + "]]}" * 60),
    json.loads('{"x":' * 200 + "1" + "}" * 200),
    json.loads("[" * 400 + "]" * 400),
    "Adam",
    "SGD",
)
HOW = ("replace", "replace", "replace", "remove", "add", "twice", "negative")
WORDS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"NaN",
    b"null",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\xff",
    b"0" * 9,
    b'"shape"',
)


class Decay:
    """A callable whose attributes a scheduler saves."""

    def __init__(self) -> None:
        self.rate = 0.5

    def __call__(self, epoch: int) -> float:
        return 0.5**epoch


SCHEDULES: tuple[Any, ...] = (
    lambda opt: None,
    lambda opt: schedulers.ExponentialLR(opt, gamma=0.5),
    lambda opt: schedulers.LambdaLR(opt, Decay()),
    lambda opt: schedulers.CyclicLR(opt, 0.1, 0.5, 2, scale_fn=Decay(), cycle_momentum=False),
    lambda opt: schedulers.ChainedScheduler(
        [schedulers.SWALR(opt, 0.2), schedulers.WarmupStableDecayLR(opt, 9, 2, 3)]
    ),
    lambda opt: schedulers.MultiStepLR(opt, [1, 1, 3]),
    lambda opt: schedulers.ReduceLROnPlateau(opt, patience=1),
    lambda opt: schedulers.SequentialLR(
        opt, [schedulers.LambdaLR(opt, Decay()), schedulers.StepLR(opt, 2)], [1]
    ),
)


class Run:
    """Parameters, an optimizer, a scheduler and something extra, all small."""

    def __init__(self, number: int) -> None:
        cls = CLASSES[number % len(CLASSES)]
        dtypes = ("<f4", ml_dtypes.bfloat16, "<f8", "<f2")
        named = number % 3 != 0
        arrays = [
            np.linspace(-1, 1, 6).astype(dtypes[(number + i) % 4]).reshape(2, 3)
            for i in range(1 + number % 2)
        ]
        self.params: Any = {f"w{i}": a for i, a in enumerate(arrays)} if named else arrays
        self.arrays = arrays
        self.opt = cls(self.params)
        self.schedule = SCHEDULES[number % len(SCHEDULES)](self.opt)
        self.grads: Any = (
            {f"w{i}": a * 1 for i, a in enumerate(arrays)} if named else [a * 1 for a in arrays]
        )

    def save(self, path: Path) -> None:
        self.opt.step(self.grads)
        extra = {"epoch": 3, "mask": np.arange(3), "deep": [{"a": (1, 2.5, None)}]}
        fs.save_checkpoint(
            path, optimizer=self.opt, params=self.params, schedulers=self.schedule, extra=extra
        )

    def load(self, path: Path) -> None:
        fs.load_checkpoint(path, optimizer=self.opt, params=self.params, schedulers=self.schedule)

    def contents(self) -> bytes:
        schedule = None if self.schedule is None else self.schedule.state_dict()
        saved = self.opt.state_dict()
        options = [{k: v for k, v in g.items() if k != "params"} for g in saved["param_groups"]]
        return pickle.dumps(
            (self.arrays, saved["state"], saved["skipped_steps"], options, schedule)
        )


class Checkpoints:
    """Some good files, and one after the other of their damaged copies."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "damaged"
        self.numbers = range(2 * len(CLASSES))
        self.good = []
        for number in self.numbers:
            Run(number).save(folder / "good")
            self.good.append((folder / "good").read_bytes())

    def one(self, random: Random, counts: Counter[str]) -> None:
        number = random.choice(self.numbers)
        # Now and then another run's file, undamaged perhaps.
        source = number if random.random() < 0.9 else random.choice(self.numbers)
        data = self.good[source]
        for _ in range(
            random.choice((0, 1, 1, 1, 2, 3))
            if source != number
            else random.choice((1, 1, 1, 2, 3))
        ):
            data = random.choice((_bytes, _header, _header, _content, _content, _content))(
                random, data
            )
        self.path.write_bytes(data)
        run = Run(number)
        if random.random() < 0.5:
            run.opt.step(run.grads)
        before = run.contents()
        counts["calls"] += 2
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run.load(self.path)
        except ValueError:
            counts["refused"] += 1
            if run.contents() != before:
                raise Found(
                    "a refused checkpoint has changed something", [("file", data)]
                ) from None
            return
        except Exception as error:
            raise Found(
                f"{type(error).__name__}: {error}", [("number", number), ("file", data)]
            ) from error
        counts["loaded"] += 1
        try:
            with np.errstate(all="ignore"):
                run.opt.step(run.grads)  # whatever was loaded can go on
        except Exception as error:
            raise Found(
                f"after loading, {type(error).__name__}: {error}",
                [("number", number), ("file", data)],
            ) from error


def _bytes(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    match random.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data + data[at:]
        case 2:
            return data[:at] + random.choice(WORDS) + data[at:]
        case 3:
            return data[:at] + random.choice(WORDS) + data[at + 4 :]
        case 4:
            return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        case _:
            length = random.choice((0, 7, len(data), 2**31, 2**63, 2**64 - 1))
            return length.to_bytes(8, "little") + data[8:]


def _unpacked(data: bytes) -> tuple[Any, bytes]:
    length = int.from_bytes(data[:8], "little")
    try:
        return json.loads(data[8 : 8 + length]), data[8 + length :]
    except (ValueError, RecursionError):
        return None, b""


def _packed(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _path(random: Random) -> tuple[int, ...]:
    return tuple(random.randrange(12) for _ in range(random.choice((1, 2, 2, 3, 4, 6))))


def _header(random: Random, data: bytes) -> bytes:
    """Change the description of the tensors, and the length of the file with it perhaps."""
    header, body = _unpacked(data)
    header = mangled(
        header, _path(random)[:3], random.choice(HOW), copy.deepcopy(random.choice(VALUES))
    )
    if random.random() < 0.1:
        body += bytes(random.choice((1, 4, 8, 24)))
    if random.random() < 0.1 and isinstance(header, dict):  # a tensor that nothing refers to
        place = {"dtype": "U8", "shape": [4], "data_offsets": [len(body), len(body) + 4]}
        header[random.choice(("extra/9", "param/w9", "state/w0/more", "other"))] = place
        body += bytes(4)
    return _packed(header, body)


def _content(random: Random, data: bytes) -> bytes:
    """Change the JSON within the metadata."""
    header, body = _unpacked(data)
    try:
        metadata = header["__metadata__"]
        key = next(iter(metadata))
        content = json.loads(metadata[key])
        for _ in range(random.choice((1, 1, 2))):
            content = mangled(
                content, _path(random), random.choice(HOW), copy.deepcopy(random.choice(VALUES))
            )
        metadata[key] = json.dumps(content)
    except (TypeError, LookupError, ValueError, StopIteration, RecursionError):
        return data  # an earlier damage has left none
    return _packed(header, body)


def run(seed: Any, counts: Counter[str], count: int = 40) -> None:
    """Some damaged files."""
    random = Random(repr(seed))
    with tempfile.TemporaryDirectory(prefix="ferrostep-fuzz-") as folder:
        files = Checkpoints(Path(folder))
        for _ in range(count):
            files.one(random, counts)
