"""Accumulator: the bits of the whole tree, mistakes where they are made, all of a step or none."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
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
from support.interrupts import interrupts
from support.layouts import LAYOUTS
from support.wrappers import compute_type, told, tree_sum

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


MISTAKES: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ({"w": np.ones(3), "b": None}, {}, ValueError, r"'w' has shape \(3,\), wanted \(2, 3\)"),
    ({"w": np.ones((2, 3), int), "b": None}, {}, TypeError, "dtype int64, wanted float16"),
    ({"w": [[1.0] * 3] * 2, "b": None}, {}, TypeError, "must be a NumPy or CuPy array, found list"),
    (
        {"w": fs.Rows([2], np.ones((1, 3))), "b": None},
        {},
        ValueError,
        "indices that must be below 2",
    ),
    ({"w": None}, {}, ValueError, "missing"),
    (None, {}, ValueError, "must be a dict with the parameters' names"),
    ({"w": None, "b": np.full(2, np.nan)}, {}, fs.NonFiniteError, "'b' is not finite"),
    ({"w": None, "b": np.ones(2)}, {"grad_scale": 0}, ValueError, "grad_scale must not be 0"),
    ({"w": None, "b": np.ones(2)}, {"max_norm": -1}, ValueError, "max_norm"),
    ({"w": None, "b": np.ones(2)}, {"clip": "all"}, ValueError, "clip must be one of 'global'"),
    ({"w": None, "b": np.ones(2)}, {"measure": 1}, ValueError, "measure must be one of 'total'"),
]


@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize(("grads", "more", "error", "message"), MISTAKES)
def test_a_mistake_is_an_error_of_its_call(
    grads: Any, more: dict[str, Any], error: type[Exception], message: str, before: int
) -> None:
    params, opt = made()
    for t in range(before):
        opt.step(grads_of(params, t))
    now = told([params, opt.state_dict()])
    with pytest.raises(error, match=message):
        opt.step(grads, **more)
    assert told([params, opt.state_dict()]) == now
    for t in range(before, 4):
        opt.step(grads_of(params, t))
    other, same = made()
    for t in range(4):
        same.step(grads_of(other, t))
    assert told(params) == told(other)


def test_overlaps_are_refused_where_they_are_given() -> None:
    p = np.ones(4)
    opt = fs.Accumulator(fs.SGD([p]), 2)
    with pytest.raises(ValueError, match=r"overlaps .* in memory; pass a copy"):
        opt.step([p])
    params = {"w": np.ones(3)}
    named = fs.Accumulator(fs.SGD(params), 2)
    params["w"] = np.ones(3)
    with pytest.raises(ValueError, match=r"(?s)'w'.*rebind"):
        named.step({"w": np.ones(3)})
    assert named.accumulated == 0


def test_what_is_not_finite_may_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ferrostep")
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0, nonfinite="skip"), 2)
    opt.step([np.full(2, 1.0)])
    info = opt.step([np.array([1.0, np.inf])])
    assert (info.applied, info.nonfinite, opt.accumulated, opt.skipped_steps) == (False, 0, 1, 1)
    assert "not finite" in caplog.text
    assert opt.step([np.full(2, 3.0)]).applied
    np.testing.assert_array_equal(p, -2)
    # Each is finite, and the sum is not: the step is left out, and all that it is of.
    opt.step([np.full(2, 1.5e308)])
    info = opt.step([np.full(2, 1.5e308)])
    assert (info.applied, info.nonfinite, opt.accumulated, opt.skipped_steps) == (False, 0, 0, 2)
    np.testing.assert_array_equal(p, -2)


def test_a_step_that_is_refused_leaves_what_waits() -> None:
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0, nonfinite="raise"), 2)
    opt.step([np.full(2, 1.5e308)])
    with pytest.raises(fs.NonFiniteError):
        opt.step([np.full(2, 1.5e308)])
    assert opt.accumulated == 1
    assert opt.step([np.full(2, -1.5e308)]).applied
    np.testing.assert_array_equal(p, 0)


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


def made() -> tuple[dict[str, Array], fs.Accumulator]:
    params = {"w": np.ones((2, 3), ml_dtypes.bfloat16), "b": np.ones(2)}
    inner = fs.Adam(params, lr=0.1, nonfinite="raise")
    return params, fs.Accumulator(fs.Lookahead(inner, k=2), 3)


def grads_of(params: dict[str, Array], t: int) -> dict[str, Any]:
    waves = {name: np.cos(np.arange(p.size) + t) for name, p in params.items()}
    found: dict[str, Any] = {name: g.reshape(params[name].shape) for name, g in waves.items()}
    return {**found, "w": None} if t % 4 == 1 else found


def with_rows() -> tuple[dict[str, Array], fs.Accumulator]:
    params = {"t": np.ones((4, 2), np.float32), "b": np.ones(3, np.float16)}
    return params, fs.Accumulator(fs.Adagrad(params, lr=0.1), 4)


def rows_of(params: dict[str, Array], t: int) -> dict[str, Any]:
    return {"t": fs.Rows([t % 4, 2], np.full((2, 2), 0.1 * t)), "b": np.full(3, 1.0 / (t + 1))}


RUNS: dict[str, tuple[Callable[[], Any], Callable[..., Any]]] = {
    "around Lookahead": (made, grads_of),
    "rows": (with_rows, rows_of),
}


@pytest.mark.parametrize("end", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("how", ["state dict", "file", "pickle", "deepcopy"])
@pytest.mark.parametrize("run", RUNS)
def test_it_goes_on(run: str, how: str, end: int, tmp_path: Path) -> None:
    make, given = RUNS[run]
    params, opt = make()
    for t in range(end):
        opt.step(given(params, t))
    if how in ("state dict", "file"):
        other, again = make()
        again.step(given(other, 5))  # what waits there is forgotten
        if how == "file":
            opt.save(tmp_path / "run")
            again.load(tmp_path / "run")
        else:
            for name, p in params.items():
                other[name][...] = p
            again.load_state_dict(opt.state_dict())
    else:
        both = (params, opt)
        other, again = pickle.loads(pickle.dumps(both)) if how == "pickle" else copy.deepcopy(both)
    assert told(again.state_dict()) == told(opt.state_dict())
    for t in range(end, end + 9):
        assert opt.step(given(params, t)).applied == again.step(given(other, t)).applied
    assert told(other) == told(params)
    assert told(again.state_dict()) == told(opt.state_dict())


def test_a_copy_has_its_own_sums() -> None:
    params, opt = made()
    opt.step(grads_of(params, 0))
    again = copy.copy(opt)
    assert told(again.state_dict()) == told(opt.state_dict())
    before = told(opt.state_dict())
    again.step(grads_of(params, 1))
    assert told(opt.state_dict()) == before
    assert (again.accumulated, opt.accumulated) == (2, 1)


def test_a_snapshot_stays_as_it_was() -> None:
    params, opt = made()
    opt.step(grads_of(params, 0))
    snapshot = opt.state_dict()
    before = told(snapshot)
    for t in range(5):
        opt.step(grads_of(params, t))
    assert told(snapshot) == before


def test_what_fits_by_name_has_no_unfinished_sums(tmp_path: Path) -> None:
    params, opt = made()
    for t in range(4):
        opt.step(grads_of(params, t))
    opt.save(tmp_path / "run")
    other, again = made()
    again.step(grads_of(other, 0))
    report = again.load(tmp_path / "run", strict=False)
    assert report.loaded == ("w", "b")
    assert (again.accumulated, again.steps) == (0, 3)
    assert told(again.slow) == told(opt.slow)
    assert told(other) == told(params)


BAD: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda own: own.pop("steps"), "state of Accumulator lacks entry 'steps'"),
    (lambda own: own.update(steps=0), "steps must be an integer >= 1, found 0"),
    (lambda own: own.update(steps=2), "count of Accumulator must be below its steps 2, found 2"),
    (lambda own: own.update(count=1), "must be those of 1 gradients"),
    (lambda own: own.update(count=-1), "count of Accumulator must be a whole number"),
    (lambda own: own.update(sums=3), "must be those of 2 gradients, found 3"),
    (lambda own: own["sums"].append({}), "must be those of 2 gradients"),
    (lambda own: own.update(sums=[None, 3]), "a sum of Accumulator must be a dict, found 3"),
    (lambda own: own["sums"][1].update(x=np.ones(2)), "has sum 'x', which is not asked for"),
    (lambda own: own["sums"][1].update(b=np.ones(5)), r"sum of parameter 'b' has shape \(5,\)"),
    (lambda own: own["sums"][1].update(w=np.ones((2, 3))), "dtype float64, wanted .* float32"),
    (lambda own: own.update(rows=3), "rows of Accumulator must be a dict"),
    (lambda own: own.update(rows={"x": []}), "has rows of 'x', which is not asked for"),
    (lambda own: own.update(rows={"w": 3}), "rows of parameter 'w' in Accumulator do not fit"),
    (lambda own: own.update(rows={"w": [{"indices": [0]}]}), "do not fit: 'values'"),
    (
        lambda own: own.update(rows={"w": [{"indices": [0], "values": np.ones((1, 3))}]}),
        r"values have shape \(1, 3\) and dtype float64, wanted \(1, 3\) and float32",
    ),
    (
        lambda own: own.update(rows={"w": [{"indices": [7], "values": np.ones((1, 3), "f4")}]}),
        "below 2",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_bad_state_dicts(spoil: Callable[[dict[str, Any]], object], message: str) -> None:
    params, opt = made()
    for t in range(2):
        opt.step(grads_of(params, t))
    before = told(opt.state_dict())
    saved = opt.state_dict()
    spoil(saved["wrappers"][0])
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(saved)
    assert told(opt.state_dict()) == before


@pytest.mark.parametrize("already", [1, 2, 5])
def test_a_call_is_whole_or_none_whenever_it_is_interrupted(already: int) -> None:
    params, opt = made()

    def begun() -> Callable[[], object]:
        nonlocal params, opt
        params, opt = made()
        for t in range(already):
            opt.step(grads_of(params, t))
        return lambda: opt.step(grads_of(params, 9))

    def now() -> Any:
        state = opt.state_dict()
        if not opt.state:  # slow weights may have begun
            state["wrappers"].pop()
        return told([params, state])

    begun()
    before = now()
    opt.step(grads_of(params, 9))
    after = now()
    for _ in interrupts(begun):
        assert now() in (before, after)
        whole = now() == after
        opt.step(grads_of(params, 9))
        assert whole or now() == after


BAD_ARGUMENTS: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: fs.Accumulator(fs.SGD(), 2), ValueError, "found an unbound one; make it with params"),
    (lambda: fs.Accumulator(None, 2), TypeError, "must be one of ferrostep's, found NoneType"),  # type: ignore[arg-type]
    (lambda: fs.Accumulator(made()[1], 2), TypeError, "have an optimizer in it, found Accumulator"),  # type: ignore[arg-type]
    (lambda: fs.Lookahead(made()[1], 2), TypeError, "put Lookahead into Accumulator"),  # type: ignore[arg-type]
    (lambda: fs.Accumulator(fs.SGD([np.ones(2)]), 0), ValueError, "steps must be an integer >= 1"),
    (lambda: setattr(made()[1], "steps", 5), AttributeError, "steps"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_the_wrapped_optimizer_is() -> None:
    _, opt = made()
    schedule = fs.schedulers.StepLR(opt, step_size=1, gamma=0.5)
    assert opt.lr == 0.1
    schedule.step()
    assert opt.optimizer.optimizer.lr == 0.05
    opt.k = 7
    assert opt.optimizer.k == 7
    assert repr(opt).startswith("Accumulator(steps=3) of Lookahead(k=7, alpha=0.5) of Adam(lr=0.05")
    assert opt.state_dict()["wrappers"][1]["class"] == "Lookahead"


def test_a_call_from_within_a_call() -> None:
    """The one within is made; the other is not, if it had begun to add up."""
    p = np.zeros(2)
    opt = fs.Accumulator(fs.SGD([p], lr=1.0), 8)
    calls = 0

    class Gradient:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            nonlocal calls
            calls += 1
            if calls == 2:
                opt.step([np.ones(2)])
            return np.full(2, 100.0)

    for before in range(4):
        calls = 0
        with pytest.raises(RuntimeError, match="called from within its own step"):
            opt.step([Gradient()])
        assert opt.accumulated == before + 1
    for _ in range(4):
        opt.step([np.ones(2)])
    np.testing.assert_array_equal(p, -1)


def test_threads_take_turns() -> None:
    p = np.zeros(100)
    opt = fs.Accumulator(fs.Lookahead(fs.SGD([p], lr=1.0), k=2, alpha=1.0), 3)
    threads = [
        threading.Thread(target=lambda: [opt.step([np.ones(100)]) for _ in range(150)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_array_equal(p, -200)
    assert opt.accumulated == 0
