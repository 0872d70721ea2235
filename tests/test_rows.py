"""Gradients of some rows: the reference's bits, and the dense rule's where it has them."""

from __future__ import annotations

import pickle
from collections import UserDict
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import CASE, DTYPES, LOW_PRECISION, PLAIN, ROW_CASES, ROW_RUN_IDS, ROW_RUNS, Case
from support.arrays import (
    TIERS,
    Array,
    arrays_in,
    assert_same_bits,
    assert_same_state,
    gradients,
    running_on,
    special_values,
)
from support.layouts import LAYOUTS, laid_out
from support.trees import Layer

# One element a row, an empty row, odd rows, more than a tile (256), rows for many threads.
SHAPES = [(7,), (5, 0), (9, 13), (3, 5, 17), (2, 1031), (3001, 64)]


def some_rows(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> fs.Rows:
    """Rows in any order, some of them repeated."""
    n = int(rng.integers(1, shape[0] + 3))
    return fs.Rows(rng.integers(0, shape[0], n), gradients(rng, (n, *shape[1:]), dtype))


def assert_same_run(found: fs.Optimizer, wanted: fs.Optimizer, what: str = "") -> None:
    for i, (p, q) in enumerate(zip(found._parameters(), wanted._parameters(), strict=True)):
        assert_same_bits(p, q, f"{what} parameter {i}")
    assert_same_state(found, wanted, what)


def train(case: Case, start: list[Array], steps: list[list[Any]], **more: Any) -> fs.Optimizer:
    opt = case.make([p.copy() for p in start], **more)
    for grads in steps:
        opt.step(grads)
    return opt


@pytest.mark.parametrize(("case", "dtype"), ROW_RUNS, ids=ROW_RUN_IDS)
def test_every_tier_and_thread_count(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(1)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    steps: list[list[Any]] = [[some_rows(rng, s, dtype) for s in SHAPES] for _ in range(3)]
    steps[1][0] = gradients(rng, SHAPES[0], dtype)  # whole ones between them
    steps[2][1] = None
    wanted = train(case, start, steps, backend="reference")
    for tier in TIERS:
        for threads in (1, 2, 3, 7):
            with running_on(tier, threads):
                assert_same_run(train(case, start, steps), wanted, f"{tier}, {threads} threads:")


@pytest.mark.parametrize(("case", "dtype"), ROW_RUNS, ids=ROW_RUN_IDS)
def test_special_values(case: Case, dtype: type) -> None:
    values = special_values(dtype)
    p, g = np.meshgrid(values, values)
    steps = [
        [fs.Rows([*range(len(p)), 3, 3], np.roll(g, 5 * i)[[*range(len(p)), i, 7]])]
        for i in range(3)
    ]
    wanted = train(case, [p], steps, backend="reference")
    for tier in TIERS:
        with running_on(tier, 1):
            assert_same_run(train(case, [p], steps), wanted, tier)


@pytest.mark.parametrize(
    "scaling",
    [
        {"grad_scale": -0.3},
        {"max_norm": 0.5},
        {"max_norm": 0.5, "clip": "parameter"},
        {"grad_scale": 1e-3, "max_norm": np.inf},
    ],
    ids=str,
)
@pytest.mark.parametrize("case", [c for c in PLAIN if c in ROW_CASES], ids=lambda case: case.name)
def test_scaling_and_clipping(case: Case, scaling: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    shapes = [(7,), (301, 64), (9, 13)]
    start = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    steps: list[list[Any]] = [[some_rows(rng, s, np.float32) for s in shapes] for _ in range(3)]
    steps[1][2] = gradients(rng, shapes[2], np.float32)
    wanted = case.make([p.copy() for p in start], backend="reference")
    norms = [wanted.step(grads, **scaling).grad_norm for grads in steps]
    for threads in (1, 7):
        with running_on(TIERS[-1], threads):
            opt = case.make([p.copy() for p in start])
            assert [opt.step(grads, **scaling).grad_norm for grads in steps] == norms
        assert_same_run(opt, wanted)


def test_the_norm_is_that_of_the_added_values_as_an_array() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((400, 64)).astype(np.float32)
    order = rng.permutation(400)
    info = fs.SGD([np.zeros((1000, 64), np.float32)]).step(
        [fs.Rows(2 * order, values[order])], max_norm=1.0
    )
    assert info.grad_norm == fs.clip.global_norm([values])  # ascending, whatever order they came in
    twice = fs.Rows([5, 2, 5], np.array([[1.0], [4.0], [2.0]]))
    assert fs.SGD([np.zeros((6, 1))]).step([twice], max_norm=1.0).grad_norm == 5.0


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_layout_and_dtype(data: Any) -> None:
    """In place or functional, on a parameter and values in any memory."""
    case, dtype = data.draw(st.sampled_from(ROW_RUNS))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    shape = data.draw(st.sampled_from([(6,), (5, 7), (4, 1, 31), (3, 0), (70, 260)]))
    p = data.draw(laid_out(rng.standard_normal(shape).astype(dtype)))
    q = p.copy()
    in_place, functional = case.make([p]), case.optimizer(**case.options)
    wanted = case.make([q.copy()], backend="reference")
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 3))):
        for _ in range(3):
            rows = some_rows(rng, shape, data.draw(st.sampled_from([dtype, *DTYPES, np.float16])))
            values = data.draw(laid_out(rows.values))
            kind = data.draw(st.sampled_from(["int64", "int8", "uint16", ">i4", "uint64"]))
            rows = fs.Rows(rows.indices.astype(kind), values)
            kept, old = values.copy(), q.copy()
            in_place.step([rows])
            wanted.step([rows])
            new = functional.updated([q], [rows])[0]
            assert_same_bits(q, old)
            assert_same_bits(values, kept)
            q = new
    assert_same_run(in_place, wanted)
    assert_same_bits(q, p)
    assert_same_state(functional, wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_named_layouts(layout: str, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    case, lay, start = CASE["Adam()"], LAYOUTS[layout], rng.standard_normal((19, 31)).astype(dtype)
    steps = [some_rows(rng, (19, 31), dtype) for _ in range(3)]
    wanted = train(case, [start], [[rows] for rows in steps], backend="reference")
    opt = case.make([lay(start)])
    for rows in steps:
        opt.step([fs.Rows(rows.indices, lay(rows.values))])
    assert_same_run(opt, wanted)


SPARSE = [
    case
    for case in ROW_CASES
    if case.optimizer in (fs.SGD, fs.Adagrad)
    and case.options.get("eps", 1) > 0
    and not {"momentum", "weight_decay"} & set(case.options)
]


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("case", SPARSE, ids=lambda case: case.name)
def test_as_the_whole_gradient_which_is_0_elsewhere(case: Case, dtype: Any) -> None:
    rng = np.random.default_rng(5)
    start = rng.standard_normal((40, 13)).astype(dtype)
    compute = np.float64 if dtype is np.float64 else np.float32
    opt, whole = case.make([start.copy()]), case.make([start.copy()])
    for _ in range(4):
        rows = some_rows(rng, start.shape, dtype)
        g = np.zeros(start.shape, compute)
        np.add.at(g, rows.indices, rows.values.astype(compute))
        for one, grad in ((opt, rows), (whole, g)):
            one.step([grad], grad_scale=0.5)
    assert_same_run(opt, whole)


@pytest.mark.parametrize(("case", "dtype"), ROW_RUNS, ids=ROW_RUN_IDS)
def test_other_rows_keep_their_values(case: Case, dtype: type) -> None:
    rng = np.random.default_rng(6)
    p = rng.standard_normal((9, 5)).astype(dtype)
    opt = case.make([p])
    opt.step([gradients(rng, p.shape, dtype)])
    before = [(a, a.copy()) for a in [p, *arrays_in(opt.state[0]).values()]]
    opt.step([fs.Rows([7, 2, 7], gradients(rng, (3, 5), dtype))], max_norm=1.0)
    for now, was in before:
        assert_same_bits(np.delete(now, [2, 7], 0), np.delete(was, [2, 7], 0))
    assert opt.state[0]["step"] == 2


def test_no_rows_at_all() -> None:
    p = np.ones((4, 3))
    opt = fs.Adam([p], weight_decay=0.1)
    for indices in ([], (), np.zeros(0, int)):
        opt.step([fs.Rows(indices, np.zeros((0, 3)))], max_norm=1.0)
    np.testing.assert_array_equal(p, 1)
    assert opt.state[0]["step"] == 3


def test_values_may_lie_in_what_is_written() -> None:
    p, q = np.arange(12.0).reshape(4, 3), np.arange(12.0).reshape(4, 3)
    fs.SGD([p], lr=1.0).step([fs.Rows([0, 1, 2, 3], p)])
    fs.SGD([q], lr=1.0).step([q.copy()])
    assert_same_bits(p, q)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_sum_that_is_not_finite(backend: str) -> None:
    p = np.ones((4, 2), np.float32)
    rows = fs.Rows([1, 1], np.full((2, 2), 3e38, np.float32))
    with pytest.raises(fs.NonFiniteError, match="gradient of parameter 0 is not finite"):
        fs.SGD([p], nonfinite="raise", backend=backend).step([rows])
    opt = fs.SGD([p], nonfinite="skip", backend=backend)
    assert not opt.step([rows]).applied
    assert opt.step([fs.Rows([1], np.full((1, 2), 3e38))]).applied
    np.testing.assert_array_equal(p[[0, 2, 3]], 1)


def test_names_single_arrays_and_unbound() -> None:
    table, bias = np.ones((4, 2)), np.ones(2)
    rows = fs.Rows([3, 0], np.ones((2, 2)))
    fs.SGD({"table": table, "bias": bias}, lr=1.0).step({"bias": np.ones(2), "table": rows})
    np.testing.assert_array_equal(table[:, 0], [0, 1, 1, 0])
    fs.SGD(table, lr=1.0).step(rows)
    fs.SGD(lr=1.0).update(table, rows)
    fs.SGD(lr=1.0).update([table, bias], (rows, [0.0, 0.0] @ np.eye(2)))
    np.testing.assert_array_equal(table[:, 0], [-3, 1, 1, -3])
    new = fs.SGD(lr=1.0).updated({"t": table}, {"t": rows})
    np.testing.assert_array_equal(new["t"][:, 0], [-4, 1, 1, -4])


def test_leaves_of_a_tree() -> None:
    """As lists, dicts and namedtuples that Rust reads, as ones that Python does, and by name."""
    rows, whole = fs.Rows([2, 0], np.ones((2, 2))), np.ones(2)
    trees: list[Any] = [
        {"table": [rows, Layer(rows, None)], "b": whole},
        UserDict({"b": whole, "table": (rows, Layer(rows, None))}),
        {"table.0": rows, "table.1.W": rows, "b": whole},
    ]
    for grads in trees:
        tables = [np.zeros((3, 2)), np.zeros((3, 2))]
        params = {"table": [tables[0], Layer(tables[1], None)], "b": np.zeros(2)}
        fs.SGD(params, lr=1.0).step(grads)
        for table in tables:
            np.testing.assert_array_equal(table[:, 0], [-1, 0, -1])
    names = {"table.0": rows, "table.1.W": rows, "b": whole}
    assert fs.tree.flatten(trees[0]) == names
    assert fs.tree.unflatten(trees[0], names) == trees[0]


def test_one_key_at_a_time_and_names_that_are_missing() -> None:
    """The first call of a key, which is read in Python, and those after it."""
    table, rows = np.ones((4, 2)), fs.Rows([3, 0, 3], np.ones((3, 2)))
    opt = fs.SGD(lr=1.0)
    for _ in range(3):
        opt.update_one("table", table, rows, max_norm=1e9)
    np.testing.assert_allclose(table[:, 0], [-2, 1, 1, -5], rtol=1e-9)
    bias = np.ones(2)
    opt = fs.SGD({"table": table, "bias": bias}, lr=1.0, missing="skip")
    opt.step({"table": fs.Rows([1], np.ones((1, 2)))})
    assert (table[1] == 0).all()
    assert (bias == 1).all()


def test_rows_are_what_they_were_made_of() -> None:
    indices, values = np.array([3, 1, 3]), np.ones((3, 2), ml_dtypes.bfloat16)
    rows = fs.Rows(indices, values)
    indices[:] = 0
    np.testing.assert_array_equal(rows.indices, [3, 1, 3])
    assert rows.values is values
    again = pickle.loads(pickle.dumps(rows))
    np.testing.assert_array_equal(again.indices, [3, 1, 3])
    assert_same_bits(again.values, values)
    assert repr(fs.Rows([1], np.ones((1, 1)))) == "Rows(array([1]), array([[1.]]))"
    with pytest.raises(AttributeError):
        rows.values = values  # type: ignore[misc]


def test_steps_that_repeat_before_and_after() -> None:
    """The plan of a step with whole gradients is not that of rows, nor the other way round."""
    rng = np.random.default_rng(7)
    start, whole = rng.standard_normal((6, 3)), rng.standard_normal((6, 3))
    rows = fs.Rows([1, 4], rng.standard_normal((2, 3)))
    steps = [[whole], [whole], [rows], [whole], [whole], [rows], [rows], [whole]]
    case = CASE["Adam()"]
    assert_same_run(train(case, [start], steps), train(case, [start], steps, backend="reference"))


def test_indices_in_any_memory() -> None:
    for layout in LAYOUTS.values():
        rows = fs.Rows(layout(np.array([3, 1, 3])), np.ones((3, 2)))
        assert list(rows.indices) == [3, 1, 3]
