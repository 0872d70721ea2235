"""Each parameter clipped by its own norm, beside the same steps taken one parameter at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import (
    CASE,
    LOW_PRECISION,
    RUN_IDS,
    RUNS,
    TENSORWISE_CASES,
    TENSORWISE_RUN_IDS,
    TENSORWISE_RUNS,
    Case,
)
from ferrostep.backends import reference
from support import emulation
from support.arrays import (
    TIERS,
    Array,
    arrays_in,
    assert_same_bits,
    gradients,
    numbers_in,
    running_on,
)
from support.emulation.norm import clipping
from support.emulation.optimizer import Emulated, assert_same_run
from support.layouts import LAYOUTS

SHAPES = [(70, 41), (0,), (5,), (3, 4097), ()]


def norm_of(g: Array, p: Array) -> float:
    """Written apart: the gradient in the parameter's compute type, squared in float64."""
    wide = g.astype(np.float64 if p.dtype == np.float64 else np.float32).astype(np.float64)
    return math.sqrt(reference.tree_sum([wide * wide]))


def scale_of(g: Array, p: Array, grad_scale: float, max_norm: float) -> float:
    norm = norm_of(g, p) * abs(grad_scale)
    return grad_scale * min(1.0, max_norm / (norm + 1e-6))


class Apart:
    """An optimizer for each parameter, which is given the factor as `grad_scale`."""

    def __init__(self, case: Case, params: list[Array]) -> None:
        self.params = params
        self.opts = [case.make([p]) for p in params]

    def step(self, grads: list[Any], max_norm: float, grad_scale: float = 1.0) -> None:
        for opt, p, g in zip(self.opts, self.params, grads, strict=True):
            if g is not None:
                opt.step([g], grad_scale=scale_of(g, p, grad_scale, max_norm))


def assert_same_steps(found: fs.Optimizer, wanted: Apart, what: str) -> None:
    for i, (p, q) in enumerate(zip(found._parameters(), wanted.params, strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
        entry = wanted.opts[i].state.get(0, {})
        assert numbers_in(found.state.get(i, {})) == numbers_in(entry)
        for name, array in arrays_in(entry).items():
            assert_same_bits(found.state[i][name], array, f"{what} state {i} {name}")


@pytest.mark.parametrize(("case", "dtype"), TENSORWISE_RUNS, ids=TENSORWISE_RUN_IDS)
def test_every_case(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    steps = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(3)]
    steps[1][3] = None
    wanted = Apart(case, [p.copy() for p in start])
    opts = [case.make([p.copy() for p in start], backend=b) for b in ("native", "reference")]
    for grads in steps:
        wanted.step(grads, 0.25, -0.5)
        infos = [o.step(grads, grad_scale=-0.5, max_norm=0.25, clip="parameter") for o in opts]
        assert infos[0] == infos[1]
    for opt in opts:
        assert_same_steps(opt, wanted, opt.backend)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_layout_tier_and_thread_count(layout: str, dtype: type) -> None:
    rng = np.random.default_rng(2)
    lay, case = LAYOUTS[layout], CASE["Adam()"]
    shapes = [(70, 41), (300, 400), (1, 7)]
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    steps = [[gradients(rng, shape, dtype) for shape in shapes] for _ in range(2)]
    wanted = Apart(case, [p.copy() for p in start])
    for grads in steps:
        wanted.step(grads, 1.0)
    for tier in TIERS:
        for threads in (1, 2, 3, 7):
            with running_on(tier, threads):
                found = case.make([lay(p.copy()) for p in start])
                for grads in steps:
                    found.step([lay(g.copy()) for g in grads], max_norm=1.0, clip="parameter")
            assert_same_steps(found, wanted, f"{tier} {threads}")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_hypothesis_thinks_of(data: Any) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    kinds = st.sampled_from([np.float16, np.float32, np.float64, *LOW_PRECISION])
    sizes = data.draw(st.lists(st.integers(0, 9000), min_size=1, max_size=5))
    params = [rng.standard_normal(n).astype(data.draw(kinds)) for n in sizes]
    scale = data.draw(st.sampled_from([1.0, -3.0, 1e-3]))
    bound = data.draw(st.sampled_from([0.0, 1e-3, 1.0, 50.0, math.inf]))
    case = data.draw(
        st.sampled_from([c for c in TENSORWISE_CASES if "state_dtype" not in c.options])
    )
    wanted = Apart(case, [p.copy() for p in params])
    found = case.make([p.copy() for p in params])
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 3))):
        for _ in range(2):
            grads: list[Any] = [gradients(rng, p.shape, p.dtype) for p in params]
            if data.draw(st.booleans()):
                grads[data.draw(st.integers(0, len(grads) - 1))] = None
            if bound:
                wanted.step(grads, bound, scale)
            found.step(grads, grad_scale=scale, max_norm=bound, clip="parameter")
    if bound:
        assert_same_steps(found, wanted, case.name)


def test_the_joint_norm_is_reported_and_a_bound_of_zero_stops_all() -> None:
    for backend in ("native", "reference"):
        params = [np.ones(2), np.ones(2)]
        opt = fs.SGD(params, lr=1.0, backend=backend)
        grads = [np.array([3.0, 0.0]), np.array([0.0, 4.0])]
        assert opt.step(grads, max_norm=0.0, clip="parameter").grad_norm == 5.0
        assert np.array(params).tolist() == [[1.0, 1.0], [1.0, 1.0]]
        assert opt.step(grads, max_norm=math.inf, clip="parameter").grad_norm == 5.0
        assert np.array(params).tolist() == [[-2.0, 1.0], [1.0, -3.0]]


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_nan_stays_with_its_parameter(backend: Any) -> None:
    grads = [np.array([3.0, 4.0]), np.array([1.0, np.nan]), np.array([np.inf, 1.0])]
    params = [np.zeros(2) for _ in grads]
    opt = fs.SGD(params, lr=1.0, backend=backend)
    assert math.isnan(opt.step(grads, max_norm=1.0, clip="parameter").grad_norm or 0.0)
    factor = 1.0 / (5.0 + 1e-6)
    assert_same_bits(params[0], np.array([0.0 - 3.0 * factor, 0.0 - 4.0 * factor]))
    assert np.isnan(params[1]).all()
    assert_same_bits(params[2], np.array([np.nan, 0.0]))  # the factor is 0


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_what_is_not_finite_is_skipped_or_raised(backend: Any) -> None:
    good, bad = [np.ones(3), np.full(2, 4.0)], [np.ones(3), np.array([1.0, np.inf])]
    params = [np.zeros(3), np.zeros(2)]
    opt = fs.SGD(params, lr=1.0, backend=backend, nonfinite="skip")
    info = opt.step(bad, max_norm=1.0, clip="parameter")
    assert (info.applied, info.nonfinite) == (False, 1)
    assert not any(p.any() for p in params)
    assert opt.step(good, max_norm=1.0, clip="parameter").applied
    opt = fs.SGD(params, lr=1.0, backend=backend, nonfinite="raise")
    before = [p.copy() for p in params]
    with pytest.raises(fs.NonFiniteError, match="parameter 1 is not finite"):
        opt.step(bad, max_norm=1.0, clip="parameter")
    assert_same_bits(np.concatenate(params), np.concatenate(before))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_steps_with_and_without_follow_each_other(backend: Any) -> None:
    """The plan of a step that each parameter's factor is in is not run again."""
    rng = np.random.default_rng(5)
    start = [rng.standard_normal(n).astype(np.float32) for n in (33, 5000)]
    grads = [gradients(rng, p.shape, np.float32) for p in start]
    case = CASE["Adam()"]
    wanted, found = (
        Apart(case, [p.copy() for p in start]),
        case.make([p.copy() for p in start], backend=backend),
    )
    for clipped in (False, True, True, False, False, True, False):
        bound = 0.1 if clipped else math.inf
        wanted.step(grads, bound)
        found.step(grads, **({"max_norm": bound, "clip": "parameter"} if clipped else {}))
    assert_same_steps(found, wanted, "")


def test_unbound_and_alone() -> None:
    p, q = np.array([3.0, 4.0]), np.array([3.0, 4.0])
    fs.SGD(lr=1.0).update(p, np.array([3.0, 4.0]), max_norm=1.0, clip="parameter")
    fs.SGD([q], lr=1.0).step([np.array([3.0, 4.0])], max_norm=1.0, clip="global")
    assert_same_bits(p, q)


@pytest.mark.parametrize("bad", ["all", "", "Parameter", None, 1, True, b"global", ["global"]])
def test_bad_words(bad: Any) -> None:
    p = np.ones(2)
    for call in (
        lambda: fs.SGD([p], lr=1.0).step([p * 2], clip=bad),
        lambda: fs.SGD([p], lr=1.0).step([p * 2], max_norm=1.0, clip=bad),
        lambda: fs.SGD(lr=1.0).update([p], [p * 2], max_norm=1.0, clip=bad),
    ):
        with pytest.raises(ValueError, match=r"clip .*'global', 'parameter'"):
            call()
    assert (p == 1.0).all()


def test_a_word_of_another_type() -> None:
    p = np.ones(2)
    fs.SGD([p], lr=1.0).step([p * 2], max_norm=1.0, clip=np.str_("parameter"))  # type: ignore[arg-type]
    assert (p < 1).all()


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=RUN_IDS)
def test_the_kernels(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(13)
    sizes = [0, 7, 4097, 60_007, 140_000, 0]
    start = [rng.standard_normal(n).astype(dtype) for n in sizes]
    scaling: Any = {"grad_scale": -0.5, "max_norm": 0.5, "clip": "parameter"}
    for backwards in (False, True):
        wanted = case.make([p.copy() for p in start])
        found = Emulated(case, [p.copy() for p in start], backwards=backwards)
        for step in range(3):
            grads: list[Any] = [gradients(rng, (n,), dtype) for n in sizes]
            grads[2] = None if step == 1 else grads[2]
            assert found.step(grads, **scaling) == wanted.step(grads, **scaling).grad_norm
        assert_same_run(found, wanted, "")


@pytest.mark.parametrize("leaves", [1, 2, 31, 32, 33, 64, 65, 1025])
def test_the_kernels_fold_each_by_itself(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    sizes = [3, 4096 * leaves, 0, 4096 * (leaves - 1) + 5, 40_000, 1]
    grads = [gradients(rng, (n,), np.float32) for n in sizes]
    params = [np.zeros(g.shape, np.float32) for g in grads]
    records = clipping(grads, params, 0.5, 0.1, each=True, compile=emulation.compile)
    for g, p, record in zip(grads, params, records[1:], strict=True):
        assert record["norm"] == norm_of(g, p) * 0.5
        assert record["scale"] == scale_of(g, p, 0.5, 0.1)
        assert record["scale_float"] == np.float32(record["scale"])
