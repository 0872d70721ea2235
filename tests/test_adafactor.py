"""Adafactor's matrices: state of another shape than the parameter, numbers, and what is refused."""

from __future__ import annotations

import copy
import pickle
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES, FACTORED, Case
from ferrostep.backends.reference import update
from formulas.factors import constants, kept, rate
from support.arrays import (
    TIERS,
    Array,
    arrays_in,
    assert_same_bits,
    assert_same_state,
    gradients,
    running_on,
)
from support.exact import exact
from support.first import first_state

#: One row, one column, longer than a register, than a leaf, stacks, nothing; and what is no matrix.
SHAPES = [
    *((1, 7), (7, 1), (5, 3), (3, 130), (2, 3, 5), (1, 2, 1, 4), (3, 4099), (4100, 2), (1, 1)),
    *((0, 3), (3, 0), (2, 0, 3), (), (1,), (70,)),
]


def inputs(dtype: Any, shapes: Any = SHAPES, steps: int = 3) -> tuple[list[Array], list[Any]]:
    rng = np.random.default_rng(2)
    start = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    return start, [[gradients(rng, shape, dtype) for shape in shapes] for _ in range(steps)]


def train(case: Case, start: Any, steps: Any, **more: Any) -> tuple[list[Array], fs.Optimizer]:
    params = [p.copy() for p in start]
    opt = case.make(params, **more)
    for grads in steps:
        opt.step(grads)
    return params, opt


def assert_same_run(found: Any, wanted: Any, what: str = "") -> None:
    for i, (p, q) in enumerate(zip(found[0], wanted[0], strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
    assert_same_state(found[1], wanted[1], what)


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


# State.


def test_state_has_a_row_and_a_column_of_each_matrix() -> None:
    shapes = {"w": (3, 5), "stack": (2, 3, 4), "b": (5,), "s": (), "none": (0, 4)}
    params = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    opt = fs.Adafactor(params)
    opt.init_state()
    found = {key: {n: x.shape for n, x in arrays_in(opt.state[key]).items()} for key in params}
    assert found == {
        "w": {"row_var": (3, 1), "col_var": (1, 5)},
        "stack": {"row_var": (2, 3, 1), "col_var": (2, 1, 4)},
        "b": {"variance": (5,)},
        "s": {"variance": ()},
        "none": {"row_var": (0, 1), "col_var": (0, 4)},
    }
    assert "float32 (3, 5), step 0, 32 bytes of state" in repr(opt)
    made = {key: entry["row_var"] for key, entry in opt.state.items() if "row_var" in entry}
    opt.step({name: np.ones_like(p) for name, p in params.items()})
    for key, array in made.items():
        assert opt.state[key]["row_var"] is array


def test_a_factory_is_given_a_part_of_the_parameter_with_the_shape_of_the_state() -> None:
    asked: list[Any] = []

    def factory(key: Any, name: str, like: Array, dtype: np.dtype[Any]) -> Array:
        asked.append((key, name, like.shape, dtype.name))
        return np.empty_like(like, dtype)

    opt = fs.Adafactor({"w": np.ones((3, 5), np.float32), "b": np.ones(5)}, state_factory=factory)
    opt.step({"w": np.ones((3, 5)), "b": np.ones(5)})
    assert asked == [
        ("w", "row_var", (3, 1), "float32"),
        ("w", "col_var", (1, 5), "float32"),
        ("b", "variance", (5,), "float64"),
    ]

    def wrong(key: Any, name: str, like: Array, dtype: np.dtype[Any]) -> Array:
        return np.empty((3, 5), dtype)

    p = np.ones((3, 5))
    opt = fs.Adafactor([p], state_factory=wrong)
    wanted = (
        r'"row_var" of parameter 0 from state_factory has shape \(3, 5\) .*, wanted shape \(3, 1\)'
    )
    with pytest.raises(ValueError, match=wanted):
        opt.step([np.ones((3, 5))])
    assert (p == 1).all()
    assert not opt.state


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"row_var": np.ones((3, 5))}, r"'row_var' .* has shape \(3, 5\), wanted \(3, 1\)"),
        ({"col_var": np.ones(5)}, r"'col_var' .* has shape \(5,\), wanted \(1, 5\)"),
        ({"row_var": None}, r"lacks \['row_var'\]"),
        ({"variance": np.ones((3, 5))}, r"unknown arrays \['variance'\], wanted \['row_var', "),
    ],
)
def test_state_of_a_wrong_shape_or_name_is_not_loaded(change: Any, wanted: str) -> None:
    start, steps = inputs(np.float64, [(3, 5), (4,)])
    _, opt = train(FACTORED[0], start, steps)
    before, saved = opt.state_dict(), opt.state_dict()
    saved["state"][0].update(change)
    with pytest.raises(ValueError, match=wanted):
        opt.load_state_dict(saved)
    for name, x in before["state"][0].items():
        np.testing.assert_array_equal(opt.state[0][name], x)
    report = opt.load_state_dict(opt.state_dict(), strict=False)
    assert report.loaded == (0, 1)


def test_a_vector_has_no_factors() -> None:
    _, opt = train(FACTORED[0], *inputs(np.float64, [(4,)]))
    saved = opt.state_dict()
    saved["state"][0] |= {"row_var": np.ones((4, 1)), "col_var": np.ones((1, 4))}
    del saved["state"][0]["variance"]
    with pytest.raises(ValueError, match=r"unknown arrays .*, wanted \['variance'\]"):
        opt.load_state_dict(saved)


def test_state_that_changes_its_shape_is_refused() -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p])
    opt.step([p.copy()])
    opt.state[0]["row_var"].shape = (1, 3)
    before = p.copy()
    with pytest.raises(ValueError, match=r"shape \(1, 3\) .*, wanted shape \(3, 1\) .* as before"):
        opt.step([p.copy()])
    assert_same_bits(p, before)


def test_a_run_goes_on_after_any_way_of_saving_it(tmp_path: Path) -> None:
    start, steps = inputs(np.float32, [(5, 6), (2, 3, 4), (7,)], 5)
    wanted = train(FACTORED[0], start, steps)
    params, first = train(FACTORED[0], start, steps[:2])
    loaded = fs.Adafactor([p.copy() for p in params])
    loaded.load_state_dict(first.state_dict())
    first.save(tmp_path / "f")
    read = fs.Adafactor([np.zeros_like(p) for p in start])
    read.load(tmp_path / "f")
    awaiting = fs.Adafactor()
    awaiting.load_state_dict(first.state_dict())
    for opt in (loaded, read, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        for grads in steps[2:]:
            opt.step(grads)
        assert_same_run((opt._parameters(), opt), wanted)
    arrays = [p.copy() for p in params]
    for grads in steps[2:]:
        awaiting.update(arrays, grads)
    for p, q in zip(arrays, wanted[0], strict=True):
        assert_same_bits(p, q)


def test_unbound_anew_and_one_by_one() -> None:
    start, steps = inputs(np.float32, [(5, 6), (40, 70), (7,)])
    wanted, _ = train(FACTORED[0], start, steps)
    anew, one = fs.Adafactor(), fs.Adafactor()
    news, singles = [p.copy() for p in start], [p.copy() for p in start]
    for grads in steps:
        before = [p.copy() for p in news]
        old, news = news, anew.updated(news, grads)
        for p, q in zip(old, before, strict=True):
            assert_same_bits(p, q, "what updated was given")
        for key, (p, g) in enumerate(zip(singles, grads, strict=True)):
            one.update_one(f"w{key}", p, g)
    for found in (news, singles):
        for p, q in zip(found, wanted, strict=True):
            assert_same_bits(p, q)


@pytest.mark.parametrize("count", [0, 2, 6])
def test_rows_that_come_and_go_leave_what_columns_have_in_common(count: int) -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p])
    opt.step([np.arange(15.0).reshape(3, 5)])
    old = {name: x.copy() for name, x in arrays_in(opt.state[0]).items()}
    opt.replace(0, np.ones((count, 5)))
    new = opt.state[0]
    assert new["row_var"].shape == (count, 1)
    np.testing.assert_array_equal(new["row_var"][:3], old["row_var"][:count])
    assert not new["row_var"][3:].any()
    assert new["col_var"].shape == (min(count, 1), 5)
    np.testing.assert_array_equal(new["col_var"], old["col_var"][:count])
    opt.replace(0, np.ones((4, 5)))  # from none, too
    assert new is not opt.state[0]
    opt.step([np.ones((4, 5))])


# What is refused, and what leaves all as it was.


def test_a_step_that_is_left_out_changes_nothing() -> None:
    p = np.ones((3, 5))
    opt = fs.Adafactor([p], nonfinite="skip")
    opt.step([np.ones((3, 5))])
    before, state = p.copy(), {n: x.copy() for n, x in arrays_in(opt.state[0]).items()}
    assert not opt.step([np.full((3, 5), np.inf)]).applied
    assert_same_bits(p, before)
    for name, x in state.items():
        assert_same_bits(opt.state[0][name], x)


def test_gradients_that_share_memory_with_state_are_refused() -> None:
    memory = np.ones((1, 5))
    opt = fs.Adafactor([np.ones((1, 5))], state_factory=lambda key, name, like, dtype: (
        memory if name == "col_var" else np.empty_like(like, dtype)
    ))  # fmt: skip
    with pytest.raises(ValueError, match="overlaps"):
        opt.step([memory])


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"eps": 1e-3}, "eps must be a pair of numbers"),
        ({"eps": (1e-3, None)}, "eps must be a pair of numbers"),
        ({"eps": (None, -1.0)}, "eps must be two finite numbers >= 0, or None and one"),
        ({"eps": (np.inf, 1.0)}, "eps must be two finite numbers >= 0, or None and one"),
        ({"beta2_decay": 0.8}, "beta2_decay must be a finite number <= 0"),
        ({"d": 0.0}, "d must be a finite number > 0"),
        ({"form": "keras"}, "form must be one of 'torch', 'original'"),
    ],
)
def test_bad_options(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        fs.Adafactor([np.ones((2, 2))], **options)
