"""The CUDA kernels' own text, run on the host: the bits of the Rust core and of the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cases import CASE, DTYPES, FACTORED, LOW_PRECISION, RUN_IDS, RUNS, Case
from ferrostep import _native
from support import emulation
from support.arrays import Array, assert_same_bits, gradients, special_values
from support.emulation.norm import clipping, first_nonfinite
from support.emulation.optimizer import Emulated, assert_same_run, shifted
from support.factored import inputs
from support.fingerprints import fingerprint, known

STEPS = 4
RPROP = "Rprop(lr=0.1,etas=(0.4,1.5),step_sizes=(0.05,0.5),weight_decay=0.1)"
CHUNK = _native.CUDA_CHUNK
# Empty tensors first, last and between; all remainders by four; both sides of a chunk's edge.
SIZES = [0, 1, 2, 3, 4, 7, 0, 257, 4099, CHUNK - 1, CHUNK, CHUNK + 5, 2 * CHUNK + 3, 0]


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_the_bits_of_native_and_reference(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(11)
    start = [rng.standard_normal(n).astype(dtype) for n in SIZES]
    steps = [[gradients(rng, (n,), dtype) for n in SIZES] for _ in range(STEPS)]
    steps[1][7] = None  # a skipped parameter has another step count from here on
    runs = [case.make([p.copy() for p in start], backend=b) for b in ("native", "reference")]
    aligned = Emulated(case, [shifted(p, 0) for p in start])
    unaligned = Emulated(case, [shifted(p, 1 + i % 3) for i, p in enumerate(start)], backwards=True)
    for grads in steps:
        for opt in runs:
            opt.step(grads)
        aligned.step([g if g is None else shifted(g, 0) for g in grads])
        unaligned.step([g if g is None else shifted(g, i % 4) for i, g in enumerate(grads)])
    for wanted in runs:
        assert_same_run(aligned, wanted, "aligned:")
        assert_same_run(unaligned, wanted, "unaligned, backwards:")


@pytest.mark.parametrize("scaling", [{}, {"max_norm": 0.5, "grad_scale": 2.0}], ids=str)
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("case", FACTORED, ids=lambda case: case.name)
def test_matrices_with_factors(case: Case, dtype: Any, scaling: dict[str, float]) -> None:
    if dtype is np.float64 and "state_dtype" in case.options:
        return
    start, steps = inputs(dtype)
    steps[1][3] = None
    wanted = case.make([p.copy() for p in start])
    aligned = Emulated(case, [shifted(p, 0) for p in start])
    unaligned = Emulated(case, [shifted(p, 1 + i % 3) for i, p in enumerate(start)], backwards=True)
    for i, grads in enumerate(steps):
        how: Any = {**scaling, "clip": "parameter"} if i == 2 else scaling
        wanted.step(grads, **how)
        aligned.step([g if g is None else shifted(g, 0) for g in grads], **how)
        unaligned.step([g if g is None else shifted(g, i) for i, g in enumerate(grads)], **how)
    assert_same_run(aligned, wanted, "aligned:")
    assert_same_run(unaligned, wanted, "unaligned, backwards:")


class Kernels(Case):
    """A case that is run by its kernels."""

    def make(self, params: Any, **more: Any) -> Any:
        return super().make(None) if params is None else Emulated(self, params)


def test_the_fingerprints() -> None:
    found = {
        f"{case.name} {np.dtype(dtype).name}": fingerprint(
            Kernels(case.name, case.optimizer, case.options), dtype
        )
        for case, dtype in RUNS
    }
    wanted = known()["fingerprints"]
    assert found == {name: wanted[name] for name in found}


COMBINATIONS = [
    (p, g, state)
    for p in [*LOW_PRECISION, *DTYPES]
    for g in [*LOW_PRECISION, *DTYPES]
    for state in (["float64"] if p is np.float64 else ["float16", "bfloat16", "float32"])
]


@pytest.mark.parametrize(
    ("p", "g", "state"), COMBINATIONS, ids=lambda x: x if isinstance(x, str) else np.dtype(x).name
)
@pytest.mark.parametrize("name", ["Adam()", RPROP], ids=["Adam", "Rprop"])
def test_every_combination_of_storage(name: str, p: type, g: type, state: str) -> None:
    case = CASE[name]
    if state != ("float64" if p is np.float64 else "float32"):
        case = Case(case.name, case.optimizer, {**case.options, "state_dtype": state})
    rng = np.random.default_rng(12)
    grads = np.concatenate([gradients(rng, (999,), np.float64), special_values(np.float64)])
    start = rng.standard_normal(grads.size).astype(p)
    with np.errstate(over="ignore"):
        steps = [np.roll(grads, 100 * i).astype(g) for i in range(3)]
    wanted = case.make([start.copy()])
    found = Emulated(case, [start.copy()])
    for grad in steps:
        wanted.step([grad])
        found.step([grad])
    assert_same_run(found, wanted, "")


@pytest.mark.parametrize(
    "scaling",
    [
        {"grad_scale": -0.3},
        {"max_norm": 0.5},
        {"grad_scale": 1e-3, "max_norm": 1e-3},
        {"max_norm": 1e9},
        {"max_norm": np.inf},
        {"max_norm": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_scaling_and_clipping(case: Case, dtype: type, scaling: dict[str, float]) -> None:
    rng = np.random.default_rng(13)
    sizes = [0, 7, 4097, 60_007]
    start = [rng.standard_normal(n).astype(dtype) for n in sizes]
    wanted = case.make([p.copy() for p in start])
    found = Emulated(case, [p.copy() for p in start])
    for _ in range(3):
        grads = [gradients(rng, (n,), dtype) for n in sizes]
        assert found.step(grads, **scaling) == wanted.step(grads, **scaling).grad_norm
    assert_same_run(found, wanted, "")


def norms(grads: list[Array], params: list[Array]) -> tuple[float, float]:
    """By the kernels, and by the Rust core: a parameter's step asks for it."""
    return float(clipping(grads, params)["norm"][0]), _native_norm(grads, params)


def _native_norm(grads: list[Array], params: list[Array]) -> float:
    norm = (
        CASE["SGD(lr=0.1)"].make([p.copy() for p in params]).step(grads, max_norm=np.inf).grad_norm
    )
    assert norm is not None
    return norm


@pytest.mark.parametrize("p", [*LOW_PRECISION, *DTYPES])
@pytest.mark.parametrize("g", [*LOW_PRECISION, *DTYPES])
def test_the_norm_of_every_kind(g: type, p: type) -> None:
    rng = np.random.default_rng(14)
    grads = [gradients(rng, (n,), g) for n in [1, 31, 32, 33, 0, 4095, 4096, 4097, 12_289]]
    grads.append(special_values(np.float64)[:6].astype(g))  # zeros and subnormals
    params = [np.zeros(a.shape, p) for a in grads]
    found, wanted = norms(grads, params)
    assert found == wanted
    assert found > 0


@pytest.mark.parametrize("leaves", [1, 2, 3, 31, 32, 33, 63, 64, 65, 1023, 1025, 2049])
def test_the_norm_of_any_number_of_leaves(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    grads = [gradients(rng, (n,), np.float32) for n in rng.integers(1, 40, leaves)]
    params = [np.zeros(a.shape, np.float32) for a in grads]
    for backwards in (False, True):
        found = clipping(grads, params, backwards=backwards)["norm"][0]
        assert found == _native_norm(grads, params)


def test_norms_without_a_number() -> None:
    p = [np.zeros(5)]
    assert clipping([], [])["norm"][0] == 0.0
    assert clipping([np.zeros(0)], [np.zeros(0)])["norm"][0] == 0.0
    assert clipping([np.full(5, 1e300)], p)["norm"][0] == np.inf
    nan = clipping([np.full(5, np.nan)], p, 0.5, 1.0)
    assert np.isnan(nan["norm"][0])
    assert np.isnan(nan["scale"][0])
    assert np.isnan(nan["scale_float"][0])


@pytest.mark.parametrize("max_norm", [0.0, 1.0, 5.0, 1e300, np.finfo(float).max, np.inf])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 2.0, 1e300, np.inf, np.nan])
def test_the_factor_of_every_norm(value: float, max_norm: float) -> None:
    record = clipping([np.array([value])], [np.zeros(1)], 0.5, max_norm)
    wanted = 0.5 * _native.clip_factor(record["norm"][0], max_norm)
    assert_same_bits(record["scale"], np.array([wanted]))


def test_the_record_of_a_clipping() -> None:
    record = clipping([np.array([3.0, 4.0])], [np.zeros(2)], -2.0, 5.0)
    assert record["norm"][0] == 10.0
    assert record["scale"][0] == -2.0 * (5.0 / (10.0 + 1e-6))
    assert record["scale_float"][0] == np.float32(record["scale"][0])


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("g", [*LOW_PRECISION, *DTYPES])
def test_the_first_gradient_that_is_not_finite(g: type, bad: float) -> None:
    grads = [np.ones(n, g) for n in (0, 5, 9000, 0, 4097, 3)]
    params = [np.zeros(a.shape, np.float32) for a in grads]
    assert first_nonfinite(grads, params) is None
    for row in (5, 4, 2):  # the lowest of several
        grads[row][-1] = bad
        assert first_nonfinite(grads, params) == row


def test_what_overflows_when_converted_is_not_finite() -> None:
    g = [np.full(3, 1e300)]
    assert first_nonfinite(g, [np.zeros(3, np.float32)]) == 0
    assert first_nonfinite(g, [np.zeros(3)]) is None


def test_wrong_launches_are_refused() -> None:
    kernels = emulation.compile(_native.cuda_norm_source())
    with pytest.raises(ValueError, match="no kernel is called 'norm'"):
        kernels.launch("norm", 1, 1, [])
    arguments = [np.uint64(0), np.int32(0), np.uint64(0)]
    with pytest.raises(TypeError, match=r"takes arguments of \[8, 8, 8\] bytes, not \[8, 4, 8\]"):
        kernels.launch("ferrostep_norm_leaves", 1, 1, arguments)
    with pytest.raises(ValueError, match="cannot be launched"):
        kernels.launch("ferrostep_norm_leaves", 0, 1, [])
    with pytest.raises(RuntimeError, match="error"):
        emulation.compile('extern "C" __global__ void broken(int x) { return y; }')
