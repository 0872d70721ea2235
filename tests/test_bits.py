"""The same bits at every SIMD tier, thread count, size and layout as the NumPy reference."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASE, CASES, DTYPES, LOW_PRECISION, PLAIN, RUN_IDS, RUNS, Case
from support.arrays import (
    TIERS,
    Array,
    assert_same_bits,
    assert_same_state,
    gradients,
    running_on,
    special_values,
)
from support.layouts import LAYOUTS, ordered, wider

STEPS = 4
#: Beside the plain case of each class, for what takes long.
RICH = [
    "AdaptiveGains(momentum=0.5,compare=velocity,beta=0.2,max_gain=inf)",
    "AdaptiveGains(momentum=0.5,compare=sign,beta=0.2,weight_decay=0.1)",
    "RMSprop(centered=True,weight_decay=0.05)",
    "RMSprop(momentum=0.9,centered=True,eps_inside_sqrt=True)",
    "RMSprop(momentum=0.9,centered=True,state_dtype=float16)",
    "Adadelta(lr=0.5,rho=0.8,eps=1e-05,weight_decay=0.1)",
    "Adam(bias_correction=False)",
]
# Empty, one, odd tails, the edges of a leaf's tile and of a share (64), enough for many threads.
SHAPES = [(0,), (), (1,), (7,), (63,), (5, 13), (3, 5, 17), (257,), (1025,), (60_007,)]


def case_id(case: Case) -> str:
    return case.name


def train(case: Case, start: list[Array], steps: list[list[Any]], **more: Any) -> fs.Optimizer:
    opt = case.make([p.copy() for p in start], **more)
    for grads in steps:
        opt.step(grads)
    return opt


def parameters(opt: fs.Optimizer) -> list[Array]:
    return [p for group in opt.param_groups for p in group["params"]]


def assert_same_run(found: fs.Optimizer, wanted: fs.Optimizer, what: str = "") -> None:
    for i, (p, q) in enumerate(zip(parameters(found), parameters(wanted), strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
    assert_same_state(found, wanted, what)


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_every_tier_and_thread_count(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    steps = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(STEPS)]
    steps[1][4] = None  # a skipped parameter has another step count from here on
    wanted = train(case, start, steps, backend="reference")
    for tier in TIERS:
        for threads in (1, 2, 3, 7):
            with running_on(tier, threads):
                found = train(case, start, steps)
            assert_same_run(found, wanted, f"{tier}, {threads} threads:")


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_special_values(case: Case, dtype: type) -> None:
    values = special_values(dtype)
    p, g = (a.ravel() for a in np.meshgrid(values, values))
    steps = [[np.roll(g, 5 * i)] for i in range(3)]
    wanted = train(case, [p], steps, backend="reference")
    for tier in TIERS:
        with running_on(tier, 1):
            assert_same_run(train(case, [p], steps), wanted, tier)


@pytest.mark.parametrize("case", [*PLAIN, *(CASE[name] for name in RICH)], ids=case_id)
def test_several_millions(case: Case) -> None:
    rng = np.random.default_rng(2)
    start = [rng.standard_normal(n).astype(np.float32) for n in (3_000_017, 64, 5)]
    steps = [[gradients(rng, p.shape, np.float32) for p in start] for _ in range(2)]
    wanted = train(case, start, steps, backend="reference")
    for threads in (1, 2, 7):
        with running_on(TIERS[-1], threads):
            assert_same_run(train(case, start, steps), wanted, f"{threads} threads")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_any_layout(case: Case, dtype: type, layout: str) -> None:
    rng = np.random.default_rng(3)
    start = [rng.standard_normal(shape).astype(dtype) for shape in [(7, 41), (19, 1, 31)]]
    steps = [[gradients(rng, p.shape, dtype) for p in start] for _ in range(3)]
    wanted = train(case, start, steps, backend="reference")
    lay = LAYOUTS[layout]
    for p_lay, g_lay in ((lay, lay), (lay, np.array), (np.array, lay)):
        opt = case.make([p_lay(p) for p in start])
        for grads in steps:
            opt.step([g_lay(g) for g in grads])
        assert_same_run(opt, wanted, layout)


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("shape", [(301, 190), (5, 9000), (9000, 5), (40, 30, 50), (70, 90, 5)])
def test_any_two_orders_of_arrays_of_several_patches(dtype: type, shape: tuple[int, ...]) -> None:
    """A patch has up to 16,000 elements: three or more are walked here, some of them cut off."""
    rng = np.random.default_rng(5)
    case = CASE["Adam()"]
    start = [rng.standard_normal(shape).astype(dtype)]
    steps = [[gradients(rng, shape, dtype)] for _ in range(2)]
    wanted = train(case, start, steps, backend="reference")
    orders = list(permutations(range(len(shape))))
    for p_order, g_order in product(orders, repeat=2):
        for threads in (1, 3):
            with running_on(TIERS[-1], threads):
                opt = case.make([ordered(p, p_order) for p in start])
                for grads in steps:
                    opt.step([ordered(g, g_order) for g in grads])
            assert_same_run(opt, wanted, f"{p_order} beside {g_order}, {threads} threads")
    for tier, grad in product(TIERS, [g for g in LOW_PRECISION if dtype is not np.float64]):
        wanted_too = train(case, start, [[g.astype(grad) for g in grads] for grads in steps])
        with running_on(tier, 3):
            opt = case.make([p.copy() for p in start])
            for grads in steps:
                opt.step([ordered(g.astype(grad), orders[-1]) for g in grads])
        assert_same_run(opt, wanted_too, f"a gradient of {grad}, {tier}")
    odd = case.make([ordered(p, orders[-1])[::-1] for p in start])
    for grads in steps:
        odd.step([wider(g[::-1]) for g in grads])
    assert_same_bits(parameters(odd)[0][::-1], parameters(wanted)[0], "backwards, strided")


@pytest.mark.parametrize("grad_dtype", [*LOW_PRECISION, np.float32, np.float64, ">f2", ">f8"])
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_gradients_of_other_dtypes_are_rounded_once(dtype: type, grad_dtype: Any) -> None:
    rng = np.random.default_rng(4)
    case = CASE["Adam()"]
    compute = np.float64 if dtype is np.float64 else np.float32
    start = [rng.standard_normal(301).astype(dtype)]
    steps = [[gradients(rng, (301,), np.float64).astype(grad_dtype)] for _ in range(3)]
    wanted = train(case, start, [[g.astype(compute) for g in grads] for grads in steps])
    assert_same_run(train(case, start, steps), wanted)
    assert_same_run(train(case, start, steps, backend="reference"), wanted)


def test_gradients_are_never_written() -> None:
    g = np.arange(5, dtype=np.float32)
    g.setflags(write=False)
    for case in CASES:
        case.make([np.ones(5, np.float32)]).step([g])
    np.testing.assert_array_equal(g, np.arange(5))


@pytest.mark.parametrize("scaling", [{"grad_scale": -0.3}, {"max_norm": 0.5},
                                     {"grad_scale": 1e-3, "max_norm": 1e-3},
                                     {"max_norm": 1e9}, {"max_norm": np.inf}], ids=str)  # fmt: skip
@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_scaling_and_clipping(case: Case, dtype: type, scaling: dict[str, float]) -> None:
    rng = np.random.default_rng(5)
    shapes = [(0,), (7,), (5, 13), (4097,), (60_007,)]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    steps = [[gradients(rng, shape, dtype) for shape in shapes] for _ in range(3)]
    steps[1][3] = None
    wanted = case.make([p.copy() for p in start], backend="reference")
    norms = [wanted.step(grads, **scaling).grad_norm for grads in steps]
    assert all((norm is None) == ("max_norm" not in scaling) for norm in norms)
    for tier in TIERS:
        for threads in (1, 2, 7):
            with running_on(tier, threads):
                opt = case.make([p.copy() for p in start])
                assert [opt.step(grads, **scaling).grad_norm for grads in steps] == norms
            assert_same_run(opt, wanted, f"{tier}, {threads} threads:")


def test_clipping_is_scaling_by_the_factor_of_the_norm() -> None:
    """Against the formula by hand: float64 throughout, the factor rounded once."""
    rng = np.random.default_rng(6)
    p, q = (np.zeros(1000, np.float32) for _ in range(2))
    g = rng.standard_normal(1000).astype(np.float32)
    info = fs.SGD([p], lr=1.0).step([g], grad_scale=0.5, max_norm=2.0)
    norm = 0.5 * np.sqrt(np.sum(g.astype(np.float64) ** 2))
    assert info.grad_norm == pytest.approx(norm, rel=1e-14)
    scale = np.float32(0.5 * (2.0 / (info.grad_norm + 1e-6)))
    q -= np.float32(1.0) * (g * scale)
    assert_same_bits(p, q)
    assert np.linalg.norm(p) == pytest.approx(2.0, rel=1e-6)
