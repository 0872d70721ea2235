"""State that a factory makes: on disk, or anywhere; what it must be, and what if it fails."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from support.arrays import Array, arrays_in, assert_same_bits, assert_same_state
from support.programs import Run, digest, gradients, made, on_small_disk, output, own_mounts

POSIX = os.name == "posix"


def on_disk(array: Any) -> bool:
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base).__name__ == "mmap"


def open_files(folder: Path) -> int:
    """How many files without a name this process maps in a folder."""
    return Path("/proc/self/maps").read_text().count(f" {folder}/")


# The same bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_bits_as_in_memory(case: Case, backend: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    start: list[Array] = [rng.standard_normal(s).astype(np.float32) for s in [(270, 131), (5,)]]
    start.append(np.asfortranarray(start[0] * 2))
    wanted = case.make([p.copy(order="K") for p in start])
    options = {"state_factory": fs.MemmapState(tmp_path), "backend": backend}
    found = case.make([p.copy(order="K") for p in start], **options)
    for _ in range(3):
        grads = [rng.standard_normal(p.shape).astype(np.float32) for p in start]
        for opt in (wanted, found):
            opt.step(grads)
    assert_same_state(found, wanted)
    for p, q in zip(found._parameters(), wanted._parameters(), strict=True):
        assert_same_bits(p, q)
    for key, places in ((0, True), (1, False), (2, True)):
        for name, array in arrays_in(found.state.get(key, {})).items():
            assert on_disk(array) == (places and array.size > 1000)
            assert array.strides == wanted.state[key][name].strides


def test_dtypes_and_names(tmp_path: Path) -> None:
    asked = []

    def factory(key: Any, name: str, like: Any, dtype: np.dtype) -> Any:
        asked.append((key, name, like is params[key], dtype))
        return fs.MemmapState(tmp_path)(key, name, like, dtype)

    params = {"W": np.ones(60_000, np.float32), "b": np.ones(60_000, np.float16)}
    opt = fs.Momentum(params, state_dtype="bfloat16", state_factory=factory)
    opt.step({name: np.ones_like(p) for name, p in params.items()})
    assert asked == [(key, "velocity", True, np.dtype(ml_dtypes.bfloat16)) for key in "Wb"]
    assert opt.state["W"]["velocity"].dtype == ml_dtypes.bfloat16


def test_an_unbound_optimizer(tmp_path: Path) -> None:
    opt, wanted = fs.Adam(state_factory=fs.MemmapState(tmp_path)), made()
    params = made()._parameters()
    for _ in range(2):
        opt.update(params, gradients())
        wanted.step(gradients())
        for p, q in zip(params, wanted._parameters(), strict=True):
            assert_same_bits(p, q)
        assert_same_state(opt, wanted)
    assert on_disk(opt.state[0]["exp_avg"])


# Where state goes ------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads what is mapped from /proc")
def test_files_have_no_names_and_end_with_the_state(tmp_path: Path) -> None:
    opt = made(state_factory=fs.MemmapState(tmp_path))
    opt.step(gradients())
    assert (os.listdir(tmp_path), open_files(tmp_path)) == ([], 2)
    opt.reset()
    assert open_files(tmp_path) == 0
    opt.step(gradients())
    del opt
    assert open_files(tmp_path) == 0


COPIES: dict[str, Callable[[fs.Optimizer, Path], fs.Optimizer]] = {
    "pickle": lambda opt, _: pickle.loads(pickle.dumps(opt)),
    "deepcopy": lambda opt, _: copy.deepcopy(opt),
    "load_state_dict": lambda opt, folder: loaded(opt, folder),
    "checkpoint": lambda opt, folder: saved_and_loaded(opt, folder),
}


def loaded(opt: fs.Optimizer, folder: Path) -> fs.Optimizer:
    other = fs.Adam(copy.deepcopy(opt._parameters()), state_factory=fs.MemmapState(folder))
    other.load_state_dict(opt.state_dict())
    return other


def saved_and_loaded(opt: fs.Optimizer, folder: Path) -> fs.Optimizer:
    opt.save(folder / "run.safetensors")
    other = made(state_factory=fs.MemmapState(folder))
    other.load(folder / "run.safetensors")
    return other


@pytest.mark.parametrize("how", COPIES)
def test_what_is_copied_lies_on_disk_too_and_alone(how: str, tmp_path: Path) -> None:
    run, opt = Run(), made(state_factory=fs.MemmapState(tmp_path))
    opt.step(gradients())
    other = COPIES[how](opt, tmp_path)
    assert on_disk(other.state[0]["exp_avg"])
    assert not np.shares_memory(other.state[0]["exp_avg"], opt.state[0]["exp_avg"])
    for step in (2, 3):
        other.step(gradients())
        assert digest(other) == run.at(step)
    assert digest(opt) == run.at(1)


def test_a_shallow_copy_has_state_of_its_own_on_disk(tmp_path: Path) -> None:
    opt = made(state_factory=fs.MemmapState(tmp_path))
    opt.step(gradients())
    twin = copy.copy(opt)
    assert on_disk(twin.state[0]["exp_avg"])
    assert not np.shares_memory(twin.state[0]["exp_avg"], opt.state[0]["exp_avg"])
    assert_same_state(twin, opt)


def tell(opt: fs.Optimizer, pipe: Any) -> None:
    opt.step(gradients())
    pipe.send((digest(opt), on_disk(opt.state[0]["exp_avg"])))


def test_a_spawned_process_has_its_own(tmp_path: Path) -> None:
    run, opt = Run(), made(state_factory=fs.MemmapState(tmp_path))
    opt.step(gradients())
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=tell, args=(opt, theirs), daemon=True)
    child.start()
    assert ours.poll(60)
    assert ours.recv() == (run.at(2), True)
    child.join(60)
    assert child.exitcode == 0
    assert digest(opt) == run.at(1)


# Space -----------------------------------------------------------------------------------------

FULL = """
import errno, os, sys
import numpy as np, ferrostep as fs
from support.programs import digest
folder = sys.argv[1]
{limit}

def free():
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize

params = [np.ones(n, np.float32) for n in (100_000, 400_000)]
opt = fs.Adam(params, state_factory=fs.MemmapState(folder), nonfinite="skip")
before, space = digest(opt), free()
for _ in range(3):
    try:
        opt.step([p * 2 for p in params])
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename == folder)
    print(digest(opt) == before, len(opt.state), os.listdir(folder), {space})
opt.step([params[0] * 2, None])  # what fits goes on
print([entry["step"] for entry in opt.state.values()])
saved = opt.state_dict()
zeros = np.zeros(400_000, np.float32)
saved["state"] = {{1: {{"step": 1, "exp_avg": zeros, "exp_avg_sq": zeros}}}}
before = digest(opt)
try:
    opt.load_state_dict(saved)
except OSError as error:
    print(errno.errorcode[error.errno], digest(opt) == before)
"""


def full(code: str) -> list[str]:
    again = [f"{code} True", "True 0 [] True"] * 3
    return [*again, "[1]", f"{code} True"]


@pytest.mark.skipif(not own_mounts(), reason="no user namespace with a tmpfs here")
def test_a_full_disk(tmp_path: Path) -> None:
    """One of the second parameter's two arrays would fit beside the first parameter's."""
    program = FULL.format(limit="", space="free() == space")
    found = output(program, str(tmp_path), within=on_small_disk(tmp_path, "3m"))
    assert found == full("ENOSPC")


@pytest.mark.skipif(not POSIX, reason="limits the size of its files")
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    assert output(FULL.format(limit=limit, space="True"), str(tmp_path)) == full("EFBIG")


@pytest.mark.skipif(not POSIX, reason="limits the number of its files")
def test_no_more_files(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))"
    program = f"""
import errno
{limit}
import numpy as np, ferrostep as fs
params = [np.ones(20_000, np.float32) for _ in range(20)]
opt = fs.Momentum(params, state_factory=fs.MemmapState(sys.argv[1]))
try:
    opt.step(params[::-1] and [p * 1 for p in params])
    print("EMFILE 0" if sys.version_info >= (3, 13) else "")
except OSError as error:
    print(errno.errorcode[error.errno], len(opt.state))
"""
    assert output(program, str(tmp_path)) == ["EMFILE 0"]


def test_no_folder(tmp_path: Path) -> None:
    opt = made(state_factory=fs.MemmapState(tmp_path / "missing"))
    before = digest(opt)
    with pytest.raises(FileNotFoundError, match="missing"):
        opt.step(gradients())
    assert digest(opt) == before
