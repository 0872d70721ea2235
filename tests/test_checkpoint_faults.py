"""Full disks, kills, odd targets: there is always a whole checkpoint, and no litter."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array, assert_same_bits
from support.checkpoints import names, optimizer
from support.programs import limited, on_small_disk, own_mounts

POSIX = os.name == "posix"
LINUX = sys.platform == "linux"


# A disk that is full ---------------------------------------------------------------------------


SAVE_AND_TELL = """
import os, sys, errno, numpy as np, ferrostep as fs
folder, path = sys.argv[1], os.path.join(sys.argv[1], "run.safetensors")
small = fs.SGD([np.full(1000, 2.0, np.float32)], momentum=0.9)
small.step([np.ones(1000, np.float32)])
small.save(path)
with open(path, "rb") as file:
    old = file.read()
{limit}
big = fs.SGD([np.ones(2_000_000, np.float32)], momentum=0.9)
big.step([np.ones(2_000_000, np.float32)])
for _ in range(3):
    try:
        big.save(path)
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename == path)
with open(path, "rb") as file:
    print(file.read() == old, os.listdir(folder))
small.load(path)
small.save(path)  # what fits is still saved
"""


def save_and_tell(command: list[str], folder: Path, limit: str) -> list[str]:
    done = subprocess.run(
        [*command, sys.executable, "-c", SAVE_AND_TELL.format(limit=limit), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not POSIX, reason="limits the size of its files")
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    found = save_and_tell([], tmp_path, limit)
    assert found == ["EFBIG True"] * 3 + ["True ['run.safetensors']"]


@pytest.mark.skipif(not own_mounts(), reason="no user namespace with a tmpfs here")
def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    found = save_and_tell(on_small_disk(tmp_path, "4m"), tmp_path, "")
    assert found == ["ENOSPC True"] * 3 + ["True ['run.safetensors']"]


# A process that is killed ----------------------------------------------------------------------

SIZE = 60_000
TRAIN = f"""
import sys, numpy as np, ferrostep as fs
path, resume, steps = sys.argv[1], sys.argv[2] == "resume", int(sys.argv[3])
p = np.linspace(-1, 1, {SIZE}, dtype=np.float32)
opt = fs.Adam([p], lr=0.01)
schedule = fs.schedulers.ExponentialLR(opt, 0.9999)
done = 0
if resume:
    extra = fs.load_checkpoint(path, optimizer=opt, params=[p], schedulers=schedule)
    done = extra["done"]
print("begin", done, flush=True)
while done < steps:
    opt.step([np.sin(p * 3 + np.float32(done))])
    schedule.step()
    done += 1
    fs.save_checkpoint(path, optimizer=opt, params=[p], schedulers=schedule,
                       extra={{"done": done, "sum": float(p.sum(dtype=np.float64))}})
print("end", flush=True)
"""


def train(path: Path, resume: bool, steps: int, kill_after: float | None) -> int:
    """Train with a save at each step; return the step it began with, -1 when it came to the end."""
    command = [sys.executable, "-c", TRAIN, str(path), "resume" if resume else "", str(steps)]
    with limited(subprocess.Popen(command, stdout=subprocess.PIPE, text=True), 300) as process:
        assert process.stdout is not None
        begin = int(process.stdout.readline().split()[1])
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        ended = "end" in process.stdout.read()
        code = process.wait()
    assert code in (0, -9)
    return -1 if ended else begin


def killed_at_random(path: Path, steps: int, rng: random.Random) -> int:
    """Train to the end through kills; return how many there were."""
    kills, last = 0, 0
    while True:
        begin = train(path, path.exists(), steps, rng.uniform(0.0, 0.4))
        if begin == -1:
            return kills
        kills += 1
        assert begin >= last  # never older than what was saved before
        last = begin
        if path.exists():  # whole, and of one moment: the sum is that of the parameters
            p = np.zeros(SIZE, np.float32)
            extra = fs.load_checkpoint(path, params=[p], partial=True)
            assert float(p.sum(dtype=np.float64)) == extra["sum"]
            assert extra["done"] >= begin
        leftovers = [name for name in names(path.parent) if name.startswith(".ferrostep")]
        assert len(leftovers) <= 1  # of the last kill alone


def check_killed_runs(folder: Path, steps: int, seed: int) -> int:
    (folder / "killed").mkdir()
    (folder / "whole").mkdir()
    killed, whole = folder / "killed" / "f.safetensors", folder / "whole" / "f.safetensors"
    kills = killed_at_random(killed, steps, random.Random(seed))
    assert train(whole, False, steps, None) == -1
    assert killed.read_bytes() == whole.read_bytes()
    assert names(killed.parent) == ["f.safetensors"]  # the next save has cleared up
    return kills


@pytest.mark.skipif(not POSIX, reason="kill -9")
def test_kills_at_random_moments(tmp_path: Path) -> None:
    assert check_killed_runs(tmp_path, 100, seed=1) > 0


@pytest.mark.long
@pytest.mark.skipif(not POSIX, reason="kill -9")
def test_kills_at_random_moments_of_a_thousand_saves(tmp_path: Path) -> None:
    kills = 0
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        kills += check_killed_runs(tmp_path / str(seed), 1000, seed)
    print(f"{kills} kills in 4 runs of 1,000 saves")
    assert kills > 40


@pytest.mark.skipif(not POSIX, reason="kill -9 and flock")
def test_what_a_killed_save_left_is_removed_and_a_live_one_is_not(tmp_path: Path) -> None:
    code = f"""
import sys, time
from ferrostep.checkpoint.atomic import replacing
with replacing({str(tmp_path / "f")!r}) as new:
    new.write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code]
    with limited(subprocess.Popen(command, stdout=subprocess.PIPE), 60) as process:
        assert process.stdout is not None
        process.stdout.readline()
        opt = optimizer()
        opt.save(tmp_path / "other")
        opt.save(tmp_path / "f")
        assert len(names(tmp_path)) == 3
        process.kill()
        process.wait()
    opt.save(tmp_path / "other")  # another file's leftovers are not its business
    assert len(names(tmp_path)) == 3
    opt.save(tmp_path / "f")
    assert names(tmp_path) == ["f", "other"]


def test_many_savers_of_one_file(tmp_path: Path) -> None:
    path, errors = tmp_path / "f", []

    def work(value: float) -> None:
        opt = optimizer(1000, value)
        try:
            for _ in range(20):
                opt.save(path)
                p = np.zeros(1000, np.float32)
                fs.load_checkpoint(path, params=[p], partial=True)
                assert (p == p[0]).all()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert names(tmp_path) == ["f"]


# Memory ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="reads its own peak memory")
@pytest.mark.parametrize("order", ["C", "F"])
def test_saving_copies_only_what_is_not_in_c_order(order: str, tmp_path: Path) -> None:
    code = f"""
import resource, numpy as np, ferrostep as fs
p = np.ones((4000, 1000), np.float32, order={order!r})
opt = fs.Adam([p])
opt.step([p * 1])
fs.save_checkpoint("warm", extra={{}})
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
opt.save("f")
print((peak() - before) / (3 * p.nbytes))
"""
    command = [sys.executable, "-c", code]
    kept = {"capture_output": True, "text": True, "cwd": tmp_path}
    done = subprocess.run(command, check=True, timeout=60, **kept)
    assert float(done.stdout) < {"C": 0.1, "F": 1.2}[order]


def test_arrays_of_a_loaded_optimizer_are_its_own(tmp_path: Path) -> None:
    opt, p = optimizer(), np.zeros(100, np.float32)
    opt.save(tmp_path / "f")
    first, second = fs.SGD([p], momentum=0.9), fs.SGD([p.copy()], momentum=0.9)
    first.load(tmp_path / "f")
    second.load(tmp_path / "f")
    first.step([np.ones(100, np.float32)])
    wanted: Array = opt.state[0]["momentum_buffer"]
    assert_same_bits(second.state[0]["momentum_buffer"], wanted)
