"""Adafactor's matrices: bits and numbers."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES, FACTORED, Case
from ferrostep.backends.reference import update
from formulas.factors import constants, kept, rate
from support.arrays import TIERS, Array, assert_same_bits, running_on
from support.exact import exact
from support.factored import assert_same_run, inputs, train
from support.first import first_state

# Bits.


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("case", FACTORED, ids=lambda case: case.name)
def test_every_shape_on_every_tier_and_thread_count(case: Case, dtype: Any) -> None:
    if dtype is np.float64 and "state_dtype" in case.options:
        return
    start, steps = inputs(dtype)
    steps[1][2] = None
    wanted = train(case, start, steps, backend="reference")
    for tier in TIERS:
        for threads in (1, 3):
            with running_on(tier, threads):
                assert_same_run(train(case, start, steps), wanted, f"{tier}, {threads}")


def test_threads_share_what_is_large() -> None:
    start, steps = inputs(np.float32, [(130, 9000), (5, 300, 310), (3, 4)], 2)
    wanted = train(FACTORED[0], start, steps, backend="reference")
    for threads in (1, 2, 5):
        with running_on(TIERS[-1], threads):
            assert_same_run(train(FACTORED[0], start, steps), wanted)


@pytest.mark.parametrize("clip", ["global", "parameter"])
def test_clipping_measuring_and_scaling(clip: Any) -> None:
    start, steps = inputs(np.float32, [(40, 30), (7,), (3, 5000), (30, 41)])
    runs: list[Any] = []
    for backend in ("native", "reference"):
        params = [np.asfortranarray(p) if i == 3 else p.copy() for i, p in enumerate(start)]
        opt = fs.Adafactor(params, backend=backend)  # type: ignore[arg-type]
        asked: Any = {"max_norm": 0.5, "clip": clip, "grad_scale": 0.5, "measure": "total"}
        infos = [opt.step(grads, **asked) for grads in steps]
        norms = [(info.grad_norm, info.update_norm, info.param_norm) for info in infos]
        runs.append(((params, opt), norms))
    assert runs[0][1] == runs[1][1]
    assert_same_run(runs[0][0], runs[1][0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_state_in_any_memory(dtype: Any) -> None:
    """Whatever a factory gives: in the other byte order, with gaps, or read from a file."""

    def gaps(key: Any, name: str, like: Array, kind: np.dtype[Any]) -> Array:
        out: Array = np.empty(tuple(2 * n for n in like.shape), kind)
        return out[tuple(slice(None, None, 2) for _ in like.shape)]

    start, steps = inputs(dtype, [(4, 5), (2, 3, 4)])
    wanted = train(FACTORED[0], start, steps)
    assert_same_run(train(FACTORED[0], start, steps, state_factory=gaps), wanted)


# Numbers.


def one_step_exactly(p: Array, g: Array, state: dict[str, Array], o: Any, t: int) -> Any:
    """A step of one matrix with 60 digits: the parameter, the size of the update, the state."""
    decimals = np.vectorize(exact, otypes=[object])
    p, g, rows, columns = map(decimals, (p, g, state["row_var"], state["col_var"]))
    if o["maximize"]:
        g = -g
    if not o["decoupled_weight_decay"]:
        g = g + exact(o["weight_decay"]) * p
    added, least, floor = constants(o)
    part = Decimal(t) ** exact(o["beta2_decay"])
    n, m = p.shape
    rows = (1 - part) * rows + part * ((g * g).sum(axis=1, keepdims=True) / m + added)
    columns = (1 - part) * columns + part * ((g * g).sum(axis=0, keepdims=True) / n + added)
    v = rows * columns / max(rows.sum() / n, least)
    u = g / np.vectorize(lambda x: max(x, floor).sqrt(), otypes=[object])(v)
    step = rate([*p.ravel()], [*u.ravel()], o, t) * u
    new = np.vectorize(lambda x: kept(x, o), otypes=[object])(p) - step
    return new, np.abs(step), {"row_var": rows, "col_var": columns}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("case", FACTORED, ids=lambda case: case.name)
def test_one_step_is_within_a_few_roundings_of_the_formula(case: Case, dtype: str) -> None:
    """The bounds are the largest errors over 40 seeds, rounded up to the next half."""
    o = case.make(None).defaults | {"of": dtype}
    worst = [0.0, 0.0]
    for seed in range(8):
        rng = np.random.default_rng(seed)
        p: Array = (rng.normal(size=(3, 5)) * 10.0 ** rng.integers(-3, 2, (3, 5))).astype(dtype)
        state = first_state("Adafactor", case.make(None).defaults, p)
        for t in (1, 2, 3, 10):
            g: Array = (rng.normal(size=(3, 5)) * 10.0 ** rng.uniform(-3, 2, (3, 5))).astype(dtype)
            new, found = update("Adafactor", p, g, state, o, t, set())
            with localcontext(Context(prec=60)):
                wanted, size, wanted_state = one_step_exactly(p, g, state, o, t)
                worst[0] = max(worst[0], ulps(new, wanted, np.maximum(size, abs(wanted)), dtype))
                for name, x in found.items():
                    exactly = wanted_state[name]
                    worst[1] = max(worst[1], ulps(x, exactly, abs(exactly), dtype))
            p, state = new, found
    assert worst[0] <= 5.0
    if o["decoupled_weight_decay"]:  # else of g + weight_decay*p no digits may be left
        assert worst[1] <= 3.0


def ulps(found: Array, wanted: Any, size: Any, dtype: str) -> float:
    unit = np.spacing(size.astype(dtype))
    far = abs(np.vectorize(exact, otypes=[object])(found) - wanted)
    return float(np.max(far / np.vectorize(exact, otypes=[object])(unit)))


def test_factors_do_not_overflow_or_underflow_where_their_product_does() -> None:
    """R*C/mean(R) is what torch computes: of 1e30 and 1e30, or of 1e-30 twice, nothing is left."""
    for scale in (1e15, 1e-15):
        g = np.full((2, 3), scale, np.float32)
        p = np.ones((2, 3), np.float32)
        fs.Adafactor([p], lr=0.5, eps=(0.0, 1e-3)).step([g])
        np.testing.assert_allclose(p, 0.5, rtol=1e-6)


def test_each_parameter_has_the_eps_of_its_own_type() -> None:
    """torch gives all of a group that of the first."""
    params: list[Array] = [np.ones(1, dtype) for dtype in (np.float64, np.float32, np.float16)]
    fs.Adafactor(params, lr=1.0).step([np.full(1, 1e-9, p.dtype) for p in params])
    alone = [np.ones(1, p.dtype) for p in params]
    for p in alone:
        fs.Adafactor([p], lr=1.0).step([np.full(1, 1e-9, p.dtype)])
    for p, q in zip(params, alone, strict=True):
        assert_same_bits(p, q)
    assert params[0] == 0
    np.testing.assert_allclose(params[1], 1 - 1e-9 / 2.0**-23, rtol=1e-6)


def test_nan_reaches_the_whole_matrix_and_no_other() -> None:
    p, q = np.ones((3, 4)), np.ones((3, 4))
    g = np.ones((3, 4))
    g[1, 2] = np.nan
    fs.Adafactor([p, q]).step([g, np.ones((3, 4))])
    assert np.isnan(p).all()
    assert np.isfinite(q).all()
