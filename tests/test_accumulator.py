"""Accumulator: the bits of the whole tree, and what comes and goes meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES, LOW_PRECISION, PLAIN, Case
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
from support.wrappers import (
    accumulating,
    compute_type,
    tree_sum,
)

SHAPES = [(7,), (5, 0), (), (9, 13), (301, 64)]


def arrays(dtype: Any, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def means(parts: list[list[Array]], dtype: Any) -> list[Array]:
    """The sums of all parts of a batch, in the type of the steps."""
    compute = compute_type(dtype)
    return [tree_sum([g.astype(compute) for g in leaves]) for leaves in zip(*parts, strict=True)]


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7, 8, 13])
def test_the_bits_of_the_tree(k: int, dtype: Any) -> None:
    rng = np.random.default_rng(k)
    start = arrays(dtype)
    wanted = fs.Adam([p.copy() for p in start])
    opts = [fs.Accumulator(fs.Adam([p.copy() for p in start]), k) for _ in range(2)]
    for _ in range(3):
        parts = [[gradients(rng, shape, dtype) for shape in SHAPES] for _ in range(k)]
        # One part is its own mean, to the bit; of more none is -0.
        given = means(parts, dtype) if k > 1 else parts[0]
        info = wanted.step(given, grad_scale=1 / k, max_norm=0.5)
        for opt, tier, threads in zip(opts, (TIERS[0], TIERS[-1]), (1, 3), strict=True):
            with running_on(tier, threads):
                infos = [opt.step(part, max_norm=0.5) for part in parts]
            assert [one.applied for one in infos] == [False] * (k - 1) + [True]
            assert infos[-1] == info
    for opt in opts:
        for p, want in zip(opt._parameters(), wanted._parameters(), strict=True):
            assert_same_bits(p, want)
        assert_same_state(opt.optimizer, wanted)


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_every_class(case: Case) -> None:
    rng = np.random.default_rng(3)
    start = arrays(np.float32)
    opt, wanted = fs.Accumulator(case.make([p.copy() for p in start]), 3), case.make(start)
    for _ in range(3):
        parts = [[gradients(rng, shape, np.float32) for shape in SHAPES] for _ in range(3)]
        wanted.step(means(parts, np.float32), grad_scale=1 / 3)
        for part in parts:
            opt.step(part)
    for p, want in zip(opt._parameters(), start, strict=True):
        assert_same_bits(p, want)


@pytest.mark.parametrize("dtype", [*DTYPES, *LOW_PRECISION])
def test_special_values(dtype: Any) -> None:
    values = special_values(dtype)
    g, h = np.meshgrid(values, values)
    p, q = np.zeros(g.shape, dtype), np.zeros(g.shape, dtype)
    opt = fs.Accumulator(fs.SGD([p], lr=0.5), 3)
    for part in (g, h, -g):
        opt.step([part])
    fs.SGD([q], lr=0.5).step(means([[g], [h], [-g]], dtype), grad_scale=1 / 3)
    assert_same_bits(p, q)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(4)
    lay, start = LAYOUTS[layout], rng.standard_normal((19, 31)).astype(np.float32)
    p, q = lay(start), start.copy()
    opt, wanted = fs.Accumulator(fs.Adam([p]), 2), fs.Adam([q])
    parts = [[gradients(rng, (19, 31), kind)] for kind in ("f2", "f8")]
    kept = [part[0].copy() for part in parts]
    for part in parts:
        opt.step([lay(part[0])])
    wanted.step(means(parts, np.float32), grad_scale=0.5)
    assert_same_bits(p, q)
    for part, old in zip(parts, kept, strict=True):
        assert_same_bits(part[0], old)


def test_no_gradient_is_0_and_none_in_all_calls_is_none() -> None:
    rng = np.random.default_rng(5)
    shapes = {"a": (3,), "b": (2, 2), "c": (4,), "d": (5,)}
    params, others = ({n: np.ones(s) for n, s in shapes.items()} for _ in range(2))
    opt, wanted = fs.Accumulator(fs.Adam(params), 5), fs.Adam(others)
    there = {"a": [0, 1, 2, 3, 4], "b": [3], "c": [0, 4], "d": []}
    for _ in range(2):
        parts: list[dict[str, Any]] = [
            {n: rng.standard_normal(s) if t in there[n] else None for n, s in shapes.items()}
            for t in range(5)
        ]
        leaves = {
            n: [np.zeros(s) if part[n] is None else part[n] for part in parts]
            for n, s in shapes.items()
        }
        total = {n: tree_sum(leaves[n]) if there[n] else None for n in shapes}
        wanted.step(total, grad_scale=1 / 5)
        for part in parts:
            opt.step(part)
    for name, p in params.items():
        assert_same_bits(p, others[name])
    assert opt.state.keys() == {"a", "b", "c"}
    for _ in range(5):
        assert opt.step(dict.fromkeys(shapes)).grad_norm is None


def test_names_trees_and_names_that_are_missing() -> None:
    p, q, r = np.zeros(2), np.zeros(3), np.zeros(1)
    opt = fs.Accumulator(fs.SGD({"layers": [{"w": p}, {"w": q}], "r": r}, lr=1.0), 2)
    opt.missing = "skip"
    opt.step({"layers": [{"w": np.ones(2)}, {"w": None}], "r": np.ones(1)})
    opt.step({"layers.0.w": np.full(2, 3.0)})
    np.testing.assert_array_equal(p, -2)
    np.testing.assert_array_equal(q, 0)
    np.testing.assert_array_equal(r, -0.5)
    with pytest.raises(ValueError, match="gradients have nothing at 'layers', wanted a list of 2"):
        opt.step({"layers.2.w": np.ones(2)})
    one = fs.Accumulator(fs.SGD([np.zeros(()), np.zeros(2)], lr=1.0), 2)
    for _ in range(2):
        one.step(iter([3.0, np.float16([1, 2])]))  # as a step takes them
    assert one._parameters()[0] == -3


def test_rows_are_those_of_all_calls() -> None:
    rng = np.random.default_rng(6)
    for cls in (fs.Adam, fs.SparseAdam):
        t, u = np.ones((6, 2), np.float32), np.ones((6, 2), np.float32)
        opt, wanted = fs.Accumulator(cls([t]), 3), cls([u])
        for _ in range(2):
            values = [rng.standard_normal((2, 2)).astype(np.float32) for _ in range(3)]
            indices = [[1, 3], [3, 3], [4, 1]]
            for i, x in zip(indices, values, strict=True):
                kept = x.copy()
                opt.step([fs.Rows(i, x)], grad_scale=0.5)
                assert_same_bits(x, kept)
                x *= 0.5  # as it was to be; what is written later does not count
            whole = fs.Rows(np.concatenate(indices), np.concatenate(values))
            wanted.step([whole], grad_scale=1 / 3)
        assert_same_bits(t, u)
        assert_same_state(opt.optimizer, wanted)


def test_one_kind_of_gradient_over_all_calls() -> None:
    opt = fs.Accumulator(fs.SGD({"t": np.ones((3, 1)), "u": np.ones(3)}), 4)
    rows, whole = fs.Rows([0], np.ones((1, 1))), np.ones((3, 1))
    opt.step({"t": rows, "u": None})
    with pytest.raises(TypeError, match="'t' must be Rows, as in the calls before, found an array"):
        opt.step({"t": whole, "u": np.ones(3)})
    opt.clear()
    opt.step({"t": whole, "u": None})
    with pytest.raises(TypeError, match="'t' must be an array, as in the calls before, found Rows"):
        opt.step({"t": rows, "u": None})
    assert opt.accumulated == 1
    sparse = fs.Accumulator(fs.SparseAdam([np.ones((3, 1))]), 2)
    with pytest.raises(TypeError, match="gradient of parameter 0 must be Rows, found ndarray"):
        sparse.step([whole])


def test_factors_are_those_of_each_call_and_clipping_that_of_the_last() -> None:
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0), 2)
    opt.step([np.full(2, 1.0)], grad_scale=0.5, max_norm=1e-9)
    info = opt.step([np.full(2, 3.0)], grad_scale=0.25, max_norm=np.inf, measure="total")
    np.testing.assert_array_equal(p, -(0.5 + 0.75) / 2)
    assert info.grad_norm == info.update_norm == np.sqrt(2 * 0.625**2)


def test_parameters_that_come_go_and_are_exchanged() -> None:
    a, b = np.zeros((2, 1)), np.zeros(3)
    opt = fs.Accumulator(fs.SGD([a], lr=1.0), 2)
    opt.step([np.ones((2, 1))])
    opt.add_param_group({"params": [b]})
    moved = a.copy()
    opt.rebind([moved, b])
    opt.step([np.ones((2, 1)), np.ones(3)])
    np.testing.assert_array_equal(moved, -1)
    np.testing.assert_array_equal(b, -0.5)
    opt.step([np.ones((2, 1)), None])
    opt.replace(0, np.zeros((4, 1)))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"changed after 1 of 2 gradients; clear\(\) forgets"):
            opt.step([np.ones((4, 1)), None])
    opt.clear()
    opt.step([np.ones((4, 1)), None])
    opt.remove_param_group(1)
    with pytest.raises(ValueError, match="parameters have changed"):
        opt.step([np.ones((4, 1))])
    opt.reset()
    assert opt.accumulated == 0
    opt.step([np.ones((4, 1))])
    assert opt.step([np.ones((4, 1))]).applied


def test_buffers_are_used_again_and_are_few() -> None:
    p = np.zeros(1000, np.float32)
    opt = fs.Accumulator(fs.SGD([p]), 16)
    seen = set()
    for t in range(64):
        opt.step([np.ones(1000, np.float32)])
        left = [known for known in opt._unfinished.sums if known is not None]
        assert len(left) == ((t + 1) % 16).bit_count()
        seen |= {id(known) for known in [*left, *opt._spare]}
        assert len(left) + len(opt._spare) <= 5
    assert len(seen) <= 5
    assert opt._spare[0].arrays[0].dtype == np.float32


def test_what_the_wrapped_optimizer_is() -> None:
    _, opt = accumulating()
    schedule = fs.schedulers.StepLR(opt, step_size=1, gamma=0.5)
    assert opt.lr == 0.1
    schedule.step()
    assert opt.optimizer.optimizer.lr == 0.05
    opt.k = 7
    assert opt.optimizer.k == 7
    assert repr(opt).startswith("Accumulator(steps=3) of Lookahead(k=7, alpha=0.5) of Adam(lr=0.05")
    assert opt.state_dict()["wrappers"][1]["class"] == "Lookahead"
