"""Other libraries change how the processor rounds: results stay, and so does what they have set."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASE, CASES, DTYPES, RUNS, Case
from support.arrays import Array, assert_same_bits, assert_same_state

if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
    pytest.skip("sets the control register of x86-64", allow_module_level=True)

DEFAULT = 0x1F80
FLUSH, DENORMALS_ARE_ZERO = 0x8000, 0x0040
FOREIGN = {
    "flush to zero": DEFAULT | FLUSH | DENORMALS_ARE_ZERO,
    "down": DEFAULT | 0x2000,
    "up": DEFAULT | 0x4000,
    "toward zero": DEFAULT | 0x6000,
    "all at once": DEFAULT | FLUSH | DENORMALS_ARE_ZERO | 0x4000,
    "trapping": DEFAULT & ~0x0E80,  # overflow, underflow, division by zero, invalid
}
SOURCE = """
#include <xmmintrin.h>
unsigned get(void) { return _mm_getcsr(); }
void set(unsigned value) { _mm_setcsr(value); }
"""


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("register")
    (folder / "register.c").write_text(SOURCE)
    library = folder / "register.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(folder / "register.c")]
    subprocess.run(command, check=True, timeout=60)
    loaded = ctypes.CDLL(str(library))
    loaded.get.restype = ctypes.c_uint
    loaded.set.argtypes = [ctypes.c_uint]
    return loaded


@contextmanager
def foreign(register: Any, value: int) -> Iterator[None]:
    """The register as another library leaves it, found again as it was."""
    before = register.get()
    register.set(value)
    try:
        yield
        found = register.get()
    finally:
        register.set(before)
    assert found & ~0x3F == value, f"{found:#x} is not {value:#x}"


def subnormals(dtype: type) -> Array:
    tiny = np.finfo(dtype).smallest_normal
    return (np.linspace(-3, 3, 401) * float(tiny)).astype(dtype)


@cache  # made once, without a foreign register
def inputs(dtype: type) -> tuple[list[Array], list[list[Array]]]:
    rng = np.random.default_rng(9)
    params = [rng.standard_normal(200_003).astype(dtype), subnormals(dtype)]
    steps = [[rng.standard_normal(p.shape).astype(dtype) for p in params] for _ in range(2)]
    steps[1][1] = subnormals(dtype)[::-1].copy()
    return params, steps


def train(case: Case, dtype: type, around: Callable[[], Any], **options: Any) -> fs.Optimizer:
    params, steps = inputs(dtype)
    with around():
        opt = case.make([p.copy() for p in params], **options)
    for grads in steps:
        with around():
            opt.step(grads, grad_scale=1 / 3, max_norm=5.0)
    return opt


def assert_same(found: fs.Optimizer, wanted: fs.Optimizer) -> None:
    assert_same_state(found, wanted)
    for p, q in zip(found._parameters(), wanted._parameters(), strict=True):
        assert_same_bits(p, q)


@contextmanager
def default() -> Iterator[None]:
    yield


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_bit_of_any_optimizer_changes(register: Any, dtype: type, value: int) -> None:
    for case in [case for case, of in RUNS if of is dtype]:
        wanted = train(case, dtype, default)
        for threads in (1, 3):
            with fs.num_threads(threads):
                found = train(case, dtype, lambda: foreign(register, value))
            assert_same(found, wanted)


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(
    "options",
    [{"backend": "reference"}, {"state_dtype": "float16"}, {"nonfinite": "raise"}],
    ids=str,
)
def test_nor_with_other_options(register: Any, options: dict[str, str], value: int) -> None:
    for case in CASES:
        wanted = train(case, np.float32, default, **options)
        found = train(case, np.float32, lambda: foreign(register, value), **options)
        assert_same(found, wanted)


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
def test_threads_that_were_started_under_it(register: Any, value: int) -> None:
    """A new thread inherits the register of the thread that starts it."""
    wanted = train(CASE["SGD(lr=0.1)"], np.float32, default)
    found = []

    def work() -> None:
        with fs.num_threads(3 + list(FOREIGN.values()).index(value)):  # another pool each time
            found.append(train(CASE["SGD(lr=0.1)"], np.float32, lambda: foreign(register, value)))

    with foreign(register, value):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert_same(found[0], wanted)


def test_state_is_saved_and_loaded_as_it_is(register: Any, tmp_path: Path) -> None:
    wanted = fs.Momentum([subnormals(np.float32)], lr=1.0, momentum=0.5)
    wanted.step([subnormals(np.float32)])
    assert np.any(abs(wanted.state[0]["velocity"]) < np.finfo(np.float32).smallest_normal)
    for value in FOREIGN.values():
        copies = [fs.Momentum([np.ones(401, np.float32)]) for _ in range(2)]
        with foreign(register, value):
            copies[0].load_state_dict(wanted.state_dict())
            wanted.save(tmp_path / "run.safetensors")
            copies[1].load(tmp_path / "run.safetensors")
        for copy in copies:
            assert_same_state(copy, wanted)
