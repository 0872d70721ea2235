"""thinc's optimizer with our steps, beside thinc's own."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import thinc.api
import thinc.optimizers
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrostep.compat import thinc as ours
from support.arrays import Array, assert_same_bits
from support.programs import output

SHAPES: dict[tuple[int, str], tuple[int, ...]] = {
    (1, "W"): (31, 7),
    (1, "b"): (7,),
    (2, "E"): (1, 3, 67),
    (2, "none"): (2, 0),
}
#: As much as numbers may differ after so many steps, in units of float32's precision beside the
#: largest weight. thinc's BLAS fuses multiplications into additions, and its norms are float32's;
#: each step rounds some ten times in both, and errors of steps add up. The largest found: 1.03.
STEPS, BOUND = 24, 2.0

OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "no averages": {"use_averages": False},
    "weight decay": {"L2": 0.1},
    "all decayed away": {"L2": 20.0, "learn_rate": 0.1},
    "L2": {"L2": 0.1, "L2_is_weight_decay": False},
    "not clipped": {"grad_clip": 0.0},
    "clipped": {"grad_clip": 0.01, "L2": 0.01},
    "other betas": {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
    "RAdam": {"use_radam": True},
    "RAdam, decayed": {"use_radam": True, "L2": 0.1, "grad_clip": 0.5},
    "RAdam, early": {"use_radam": True, "beta2": 0.9, "eps": 0.0},
    "SGD": {"beta1": 0.0, "beta2": 0.0},
    "SGD, decayed": {"beta1": 0.0, "beta2": 0.0, "L2": 0.3},
    "SGD, L2": {"beta1": 0.0, "beta2": 0.0, "L2": 0.3, "L2_is_weight_decay": False},
    "a list": {"learn_rate": [0.1, 0.05, 0.01]},
    "betas in a list": {"beta1": [0.9, 0.8], "L2": [0.0, 0.1], "grad_clip": [0.0, 0.1]},
}


def arrays(seed: int) -> dict[tuple[int, str], Array]:
    rng = np.random.default_rng(seed)
    return {key: rng.standard_normal(n).astype(np.float32) for key, n in SHAPES.items()}


def run(
    optimizer: Any, weights: dict[Any, Array], steps: range, **call: Any
) -> Iterator[tuple[int, Any]]:
    for i in steps:
        for key, gradient in arrays(i + 1).items():
            if key == (2, "E") and i < 3:
                continue  # it comes late
            gradient *= 10.0 ** (i % 5 - 2)
            w, g = optimizer(key, weights[key], gradient, **call)
            assert np.shares_memory(w, weights[key]) or not w.size
            assert not g.any()
            assert not gradient.any()
            yield i, key
        optimizer.step_schedules()


def play(optimizer: Any, weights: dict[Any, Array], steps: range, **call: Any) -> None:
    for _ in run(optimizer, weights, steps, **call):
        pass


def assert_close(found: Any, wanted: Any, what: str, bound: float) -> None:
    assert found.dtype == wanted.dtype == np.float32
    assert found.shape == wanted.shape
    if not wanted.size:
        return
    unit = np.finfo(np.float32).eps * max(1e-3, float(np.abs(wanted).max()))
    assert np.abs(found - wanted).max() <= bound * unit, what


@pytest.mark.parametrize("call", [{}, {"lr_scale": 0.5}], ids=["", "scaled"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_numbers_are_thincs(options: dict[str, Any], call: dict[str, float]) -> None:
    options = {"learn_rate": 0.01, **options}
    found, wanted = arrays(0), arrays(0)
    mine, theirs = ours.Optimizer(**options), thinc.optimizers.Optimizer(**options)
    for (i, key), _ in zip(
        run(mine, found, range(STEPS), **call),
        run(theirs, wanted, range(STEPS), **call),
        strict=True,
    ):
        assert_close(found[key], wanted[key], f"weights of {key} at {i}", BOUND * (i + 1))
        for name in ("mom1", "mom2", "averages"):
            kept, known = getattr(mine, name), getattr(theirs, name)
            assert (kept is None) == (known is None)
            if known is not None:
                assert kept.keys() == known.keys()
                if key in known:
                    assert_close(kept[key], known[key], f"{name} of {key} at {i}", BOUND * (i + 1))
    assert mine.nr_update == theirs.nr_update
    assert isinstance(mine, thinc.optimizers.Optimizer)


@pytest.mark.parametrize("name", ["Adam", "RAdam", "SGD"])
def test_functions_have_thincs_defaults(name: str) -> None:
    mine, theirs = getattr(ours, name)(0.01), getattr(thinc.optimizers, name)(0.01)
    assert type(mine) is ours.Optimizer
    found, wanted = arrays(0), arrays(0)
    play(mine, found, range(3))
    play(theirs, wanted, range(3))
    for key, w in wanted.items():
        assert_close(found[key], w, f"{name}, {key}", 3 * BOUND)


@settings(max_examples=40, deadline=None)
@given(
    order=st.sampled_from(["C", "F", "strided", "negative"]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    radam=st.booleans(),
    moved=st.booleans(),
)
def test_any_layout_of_any_kind_in_place(order: str, dtype: Any, radam: bool, moved: bool) -> None:
    """The bits of the same values in C order, also where each call brings a new view or copy."""
    start = np.random.default_rng(0).standard_normal((6, 8)).astype(dtype)
    store = np.zeros((12, 16), dtype)
    views = {
        "C": start.copy(),
        "F": np.asfortranarray(start),
        "strided": store[::2, ::2],
        "negative": store[::-2, ::-2],
    }
    w, plain = views[order], start.copy()
    w[...] = start
    one, other = (ours.Optimizer(0.1, L2=0.1, use_radam=radam) for _ in range(2))
    for i in range(8):
        g = np.random.default_rng(i).standard_normal((6, 8)).astype(dtype)
        one(("a", i % 2), w.copy(order="K") if moved and order == "C" else w, g.T.copy().T)
        other(("a", i % 2), plain, g)
        if not (moved and order == "C"):
            assert_same_bits(w, plain)
    for key in other.nr_update:
        for name in ("mom1", "mom2", "averages"):
            if not (moved and order == "C"):
                assert_same_bits(getattr(one, name)[key], getattr(other, name)[key])


def test_weights_in_other_memory_go_on() -> None:
    """As after `from_bytes`, or with the tensors of a shim, which are new objects in each step."""
    one, other = ours.Adam(0.1), ours.Adam(0.1)
    w, plain = np.ones(5, np.float32), np.ones(5, np.float32)
    for i in range(6):
        w = w.copy() if i % 2 else w[:]
        one((1, "W"), w, np.full(5, i - 2.5, np.float32))
        other((1, "W"), plain, np.full(5, i - 2.5, np.float32))
        assert_same_bits(w, plain)


@pytest.mark.parametrize("where", ["taken over", "zeroed in place", "taken out", "all new"])
def test_state_is_what_thincs_dicts_have(where: str) -> None:
    mine, theirs = ours.Adam(0.1, grad_clip=0.0), thinc.api.Adam(0.1, grad_clip=0.0)
    found, wanted = arrays(0), arrays(0)
    play(mine, found, range(5))
    play(theirs, wanted, range(5))
    for optimizer in (mine, theirs):
        for key in list(optimizer.mom1):
            if where == "taken over":
                optimizer.mom2[key] = optimizer.mom2[key] * 4
                optimizer.averages[key] = optimizer.averages[key] * 2
            elif where == "zeroed in place":
                optimizer.mom1[key][...] = 0
            elif where == "taken out":
                del optimizer.mom1[key], optimizer.averages[key], optimizer.nr_update[key]
        if where == "all new":
            optimizer.mom1, optimizer.averages = {}, None
    play(mine, found, range(5, 8))
    play(theirs, wanted, range(5, 8))
    for key, w in wanted.items():
        assert_close(found[key], w, f"{key}", 8 * BOUND)
    for key, average in (theirs.averages or {}).items():
        assert_close(mine.averages[key], average, f"average of {key}", 8 * BOUND)


def test_a_run_of_thincs_goes_on_as_ours() -> None:
    rates = [0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4]
    first, found = thinc.api.Adam(rates, L2=0.1), arrays(0)
    play(first, found, range(4))
    whole, wanted = thinc.api.Adam(rates, L2=0.1), arrays(0)
    play(whole, wanted, range(8))
    mine = ours.Adam(rates[4:], L2=0.1)
    for name in ("mom1", "mom2", "averages", "nr_update"):
        setattr(mine, name, getattr(first, name))
    play(mine, found, range(4, 8))
    for key, w in wanted.items():
        assert_close(found[key], w, f"{key}", 8 * BOUND)


def model_of(seed: int) -> Any:
    thinc.api.fix_random_seed(seed)
    Relu, Softmax = thinc.api.Relu, thinc.api.Softmax
    model = thinc.api.chain(Relu(nO=16), Relu(nO=16, dropout=0.0), Softmax())
    X = np.zeros((1, 8), np.float32)
    return model.initialize(X=X, Y=np.zeros((1, 3), np.float32))


def losses(model: Any, optimizer: Any, steps: int) -> Iterator[float]:
    rng = np.random.default_rng(0)
    for _ in range(steps):
        X = rng.standard_normal((20, 8)).astype(np.float32)
        Y = np.eye(3, dtype=np.float32)[np.abs(X[:, :3]).argmax(axis=1)]
        Yh, backprop = model.begin_update(X)
        backprop(Yh - Y)
        model.finish_update(optimizer)
        optimizer.step_schedules()
        with model.use_params(optimizer.averages):
            averaged = model.predict(X)
        yield float(((averaged - Y) ** 2).sum())
        yield float(((Yh - Y) ** 2).sum())


def test_a_model_trains_as_with_thincs() -> None:
    """Also when it is saved and loaded in the middle: its weights are other arrays then."""
    rates = list(itertools.islice(itertools.cycle([0.01, 0.02]), 100))
    found_model, wanted_model = model_of(0), model_of(0)
    mine, theirs = ours.Adam(rates, L2=0.01), thinc.api.Adam(rates, L2=0.01)
    for _ in range(2):
        found = list(losses(found_model, mine, 40))
        wanted = list(losses(wanted_model, theirs, 40))
        np.testing.assert_allclose(found, wanted, rtol=1e-3)
        found_model.from_bytes(found_model.to_bytes())
        wanted_model.from_bytes(wanted_model.to_bytes())
    assert found[-1] < 0.9 * found[1]


def test_config_files_find_ours() -> None:
    """By the entry points of pyproject.toml, whatever was installed last."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    group = "thinc_optimizers"
    found = project["project"]["entry-points"][group]
    assert found.keys() == {f"ferrostep.{n}.v1" for n in ours.__all__ if n != "Optimizer"}
    for name, place in found.items():
        made = EntryPoint(name, place, group).load()
        assert made is getattr(ours, name.split(".")[1])
        thinc.api.registry.optimizers(name, func=made)
    text = """
[optimizer]
@optimizers = "ferrostep.Adam.v1"
beta1 = 0.8
use_averages = false

[optimizer.learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = 2
total_steps = 10
initial_rate = 0.5
"""
    optimizer = thinc.api.registry.resolve(thinc.api.Config().from_str(text))["optimizer"]
    assert type(optimizer) is ours.Optimizer
    assert optimizer.averages is None
    plain, w = thinc.api.Adam(0.25, beta1=0.8), np.ones(3, np.float32)
    optimizer.step_schedules()
    optimizer((1, "W"), w, np.ones(3, np.float32))
    wanted, _ = plain((1, "W"), np.ones(3, np.float32), np.ones(3, np.float32))
    assert_close(w, wanted, "after a step", BOUND)
    wrong = thinc.api.Config().from_str(text.replace("beta1", "beta3"))
    with pytest.raises(thinc.api.ConfigValidationError, match="beta3"):
        thinc.api.registry.resolve(wrong)


def test_arrays_on_a_device_are_stepped_by_thincs_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own state; a stand-in for CuPy's array is enough for the choice."""

    def call(self: Any, key: Any, weights: Any, gradient: Any, *, lr_scale: float) -> Any:
        return "thinc's", lr_scale

    monkeypatch.setattr(thinc.optimizers.Optimizer, "__call__", call)
    found: Any = ours.Adam()((1, "W"), [1.0], np.ones(1, np.float32), lr_scale=0.5)
    assert found == ("thinc's", 0.5)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = """
import ferrostep as fs
fs.compat, fs.compat.thinc, dir(fs.compat.thinc)
print("thinc" in sys.modules)
sys.modules["thinc"] = None
try:
    fs.compat.thinc.Adam
except ImportError as error:
    print(error)
"""
    assert output(program) == ["False", "this needs thinc; pip install ferrostep[thinc]"]
