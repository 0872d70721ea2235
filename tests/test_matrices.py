"""Classes that update whole matrices: what other files ask of every class, and their own."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES, LOW_PRECISION, MATRIX_CASES, MATRIX_RUNS, Case
from support.arrays import (
    TIERS,
    Array,
    assert_same_bits,
    assert_same_state,
    gradients,
    running_on,
    special_values,
)
from support.layouts import LAYOUTS

#: Empty, one, less than a register, more than a kernel, than a leaf and than a tile, tall and wide;
#: more rows than a tile has are in the tests in Rust.
SHAPES = [(0, 3), (3, 0), (1, 1), (1, 7), (9, 2), (13, 33), (40, 47), (200, 11), (11, 450)]
RUNS = [
    pytest.param(case, dtype, id=f"{case.name}-{np.dtype(dtype).name}")
    for case, dtype in MATRIX_RUNS
]
PLAIN = MATRIX_CASES[0]


def inputs(dtype: type, shapes: list[Any], steps: int = 3) -> tuple[list[Array], list[list[Any]]]:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return start, [[gradients(rng, shape, dtype) for shape in shapes] for _ in range(steps)]


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


@pytest.mark.parametrize(("case", "dtype"), RUNS)
def test_every_tier_and_thread_count(case: Case, dtype: type) -> None:
    start, steps = inputs(dtype, SHAPES)
    steps[1][4] = None
    wanted = train(case, start, steps, backend="reference")
    for tier in TIERS:
        for threads in (1, 2, 3):
            with running_on(tier, threads):
                assert_same_run(train(case, start, steps), wanted, f"{tier}, {threads} threads:")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_any_layout(dtype: type, layout: str) -> None:
    start, steps = inputs(dtype, [(7, 41), (33, 5)])
    wanted = train(PLAIN, start, steps, backend="reference")
    lay = LAYOUTS[layout]
    for p_lay, g_lay in ((lay, lay), (lay, np.array), (np.array, lay)):
        opt = PLAIN.make([p_lay(p) for p in start])
        for grads in steps:
            opt.step([g_lay(g) for g in grads])
        assert_same_run(opt, wanted, layout)


@pytest.mark.parametrize("g_dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_gradients_of_any_type(dtype: type, g_dtype: type) -> None:
    start, steps = inputs(dtype, [(5, 9)])
    steps = [[g.astype(g_dtype) for g in grads] for grads in steps]
    wanted = train(PLAIN, start, steps, backend="reference")
    assert_same_run(train(PLAIN, start, steps), wanted)


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_special_values(dtype: type) -> None:
    """Each in a matrix of its own, since what is not finite is everywhere in it after the step."""
    values = special_values(dtype)
    start = [np.ones((2, 3), dtype) for _ in values]
    steps = []
    for roll in range(3):
        grads = [np.ones((2, 3), dtype) for _ in values]
        for g, value in zip(grads, np.roll(values, roll), strict=True):
            g[1, 1] = value
        steps.append(grads)
    start[0][:] = values[:6].reshape(2, 3)
    assert_same_run(train(PLAIN, start, steps), train(PLAIN, start, steps, backend="reference"))


@pytest.mark.parametrize("clip", ["global", "parameter"])
def test_clipping_measuring_and_scaling(clip: Any) -> None:
    start, steps = inputs(np.float32, [(40, 30), (30, 41)])
    runs: list[tuple[fs.Optimizer, Any]] = []
    for backend in ("native", "reference"):
        opt = PLAIN.make([p.copy() for p in start], backend=backend)
        asked: Any = {"max_norm": 0.5, "clip": clip, "grad_scale": 0.5, "measure": "total"}
        infos = [opt.step(grads, **asked) for grads in steps]
        runs.append((opt, [(info.grad_norm, info.update_norm, info.param_norm) for info in infos]))
    assert runs[0][1] == runs[1][1]
    assert_same_run(runs[0][0], runs[1][0])


def test_unbound_in_place_anew_and_one_by_one() -> None:
    start, steps = inputs(np.float32, [(20, 30), (31, 7)])
    wanted = train(PLAIN, start, steps)
    in_place, anew, one = PLAIN.make(None), PLAIN.make(None), PLAIN.make(None)
    params, news, singles = ([p.copy() for p in start] for _ in range(3))
    for grads in steps:
        in_place.update(params, grads)
        before = [p.copy() for p in news]
        old, news = news, anew.updated(news, grads)
        for p, q in zip(old, before, strict=True):
            assert_same_bits(p, q, "what updated was given")
        for key, (p, g) in enumerate(zip(singles, grads, strict=True)):
            one.update_one(f"w{key}", p, g)
    for found in (params, news, singles):
        for p, q in zip(found, parameters(wanted), strict=True):
            assert_same_bits(p, q)


def test_a_run_goes_on_after_any_way_of_saving_it(tmp_path: Path) -> None:
    start, steps = inputs(np.float32, [(20, 30), (31, 7)], 4)
    wanted = train(PLAIN, start, steps)
    first = train(PLAIN, start, steps[:2])
    loaded = PLAIN.make([p.copy() for p in parameters(first)])
    loaded.load_state_dict(first.state_dict())
    first.save(tmp_path / "f")
    read = PLAIN.make([np.zeros_like(p) for p in start])
    read.load(tmp_path / "f")
    for opt in (loaded, read, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        for grads in steps[2:]:
            opt.step(grads)
        assert_same_run(opt, wanted)


def test_other_numbers_between_steps() -> None:
    start, steps = inputs(np.float64, [(6, 4)], 5)
    runs: list[fs.Optimizer] = []
    for backend in ("native", "reference"):
        opt = PLAIN.make([p.copy() for p in start], backend=backend)
        for i, grads in enumerate(steps):
            group = opt.param_groups[0]
            group["lr"] = 0.01 * (i + 1)
            group["momentum"] = 0.9 - 0.1 * i
            group["nesterov"] = i % 2 == 0
            group["adjust_lr"] = "match_rms_adamw" if i > 2 else "original"
            opt.step(grads)
        runs.append(opt)
    assert_same_run(runs[0], runs[1])


def test_one_that_is_not_finite_is_skipped_or_refused_before_anything_is_written() -> None:
    p = np.ones((3, 4))
    g = np.full((3, 4), np.nan)
    opt = fs.Muon([p], nonfinite="skip")
    assert not opt.step([g]).applied
    assert p.tobytes() == np.ones((3, 4)).tobytes()
    with pytest.raises(FloatingPointError):
        fs.Muon([p], nonfinite="raise").step([g])
    fs.Muon([p]).step([g])
    assert np.isnan(p).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (1, 1, 1, 1)])
def test_other_numbers_of_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    p, w = np.ones(shape), np.ones((2, 2))
    wanted = (
        r"must have two dimensions for Muon, found shape .*; give it to another optimizer, AdamW"
    )
    with pytest.raises(ValueError, match=f"parameter 1 {wanted}"):
        fs.Muon([w, p])
    with pytest.raises(ValueError, match=f"parameter 'b' {wanted}"):
        fs.Muon({"w": w, "b": p})
    opt = fs.Muon([w])
    with pytest.raises(ValueError, match=wanted):
        opt.add_param_group({"params": [p]})
    assert len(opt.param_groups) == 1
    unbound = fs.Muon()
    for call in (
        lambda: unbound.update([p], [p]),
        lambda: unbound.updated([p], [p]),
        lambda: unbound.update_one("p", p, p),
    ):
        with pytest.raises(ValueError, match=wanted):
            call()
    unbound.update_one("w", w, w.copy())
    with pytest.raises(ValueError, match=wanted):
        unbound.update_one("b", p, p)


def test_rows_are_refused() -> None:
    w = np.ones((4, 3))
    before = w.copy()
    for backend in ("native", "reference"):
        opt = fs.Muon([w], backend=backend)
        with pytest.raises(TypeError, match="gradient of parameter 0 must be whole"):
            opt.step([fs.Rows([1], np.ones((1, 3)))])
        assert_same_bits(w, before)


def test_weight_decay_is_never_added_to_the_gradient() -> None:
    with pytest.raises(ValueError, match="decoupled_weight_decay must be True for Muon"):
        fs.Muon([np.ones((2, 2))], decoupled_weight_decay=False)
    fs.Muon([np.ones((2, 2))], decoupled_weight_decay=False, weight_decay=0)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"momentum": 1.0}, r"momentum must be a number in \[0, 1\)"),
        ({"eps": 0.0}, "eps must be a finite number > 0"),
        ({"adjust_lr": "keras"}, "adjust_lr must be one of 'original', 'match_rms_adamw'"),
        ({"nesterov": 1}, "nesterov must be True or False"),
    ],
)
def test_bad_options(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fs.Muon([np.ones((2, 2))], **options)
