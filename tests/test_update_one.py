"""Parameters that come one by one, each by its key, are stepped as if there were no other."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ferrostep as fs
from cases import TENSORWISE_RUNS
from support.arrays import TIERS, assert_same_bits, running_on
from support.layouts import laid_out
from support.one_by_one import assert_same_entry, begun

SHAPES: dict[Hashable, tuple[int, ...]] = {
    "w": (5, 7),
    3: (),
    ("dense", 1): (0, 2),
    ("dense", 2): (2, 1031),
}


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_each_key_is_an_optimizer_of_its_own(data: Any) -> None:
    case, dtype = data.draw(st.sampled_from(TENSORWISE_RUNS))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    backend = data.draw(st.sampled_from([None, None, "reference"]))
    made = [case.optimizer(**case.options, backend=b) for b in [backend, *[None] * len(SHAPES)]]
    opt, alone = made[0], dict(zip(SHAPES, made[1:], strict=True))
    params = {
        k: data.draw(laid_out(np.asarray(rng.standard_normal(n)).astype(dtype)))
        for k, n in SHAPES.items()
    }
    copies = {k: p.copy() for k, p in params.items()}
    order = data.draw(st.lists(st.sampled_from(list(SHAPES)), max_size=12))
    scaling = data.draw(
        st.sampled_from([{}, {}, {"grad_scale": -0.3}, {"max_norm": 2.0}, {"measure": "total"}])
    )
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 3))):
        for key in order:
            grad: Any = np.asarray(rng.standard_normal(SHAPES[key])).astype(dtype)
            grad = data.draw(st.one_of(laid_out(grad), st.just(grad), st.none()))
            info = opt.update_one(key, params[key], grad, **scaling)
            wanted = alone[key].update({"p": copies[key]}, {"p": grad}, **scaling)
            assert info.as_dict() == wanted.as_dict()
    for key, param in params.items():
        assert_same_bits(param, copies[key])
    assert set(opt.state) == {key for key in SHAPES if alone[key].state}
    for key, entry in opt.state.items():
        assert_same_entry(entry, alone[key].state["p"])


W = np.ones(3)
BAD: list[tuple[str, Callable[[fs.Optimizer, Any], Any], Any, str]] = [
    ("a list", lambda o, p: o.update_one(["w"], p["w"], W), TypeError, "key must be .* found list"),
    ("printed", lambda o, p: o.update_one("('k', 2)", W, W), ValueError, "keys must print diff"),
    (
        "shared",
        lambda o, p: o.update_one("v", p["w"], W),
        ValueError,
        "'w' and parameter 'v' overlap",
    ),
    (
        "other",
        lambda o, p: o.update_one("w", p["w"].copy(), W),
        ValueError,
        "'w' lies in other mem",
    ),
    ("shape", lambda o, p: o.update_one("w", p["w"], np.ones(2)), ValueError, "gradient of .* 'w'"),
    (
        "first",
        lambda o, p: o.update_one("v", W.copy(), np.ones(2)),
        ValueError,
        "gradient of .* 'v'",
    ),
    (
        "tree",
        lambda o, p: o.update_one("v", [W], [W]),
        TypeError,
        "'v' must be an array, .* update",
    ),
    ("none", lambda o, p: o.update_one("v", None, W), TypeError, "'v' must be an array"),
    ("number", lambda o, p: o.update_one("v", 1.0, 1.0), TypeError, "keep it as an array"),
    ("ints", lambda o, p: o.update_one("v", np.ones(3, int), W), TypeError, "dtype int64"),
    ("own", lambda o, p: o.update_one("w", p["w"], p["w"]), ValueError, "overlaps .* pass a copy"),
    ("nan", lambda o, p: o.update_one("v", W.copy(), W * np.nan), fs.NonFiniteError, "'v'"),
    ("scale", lambda o, p: o.update_one("w", p["w"], W, grad_scale=0), ValueError, "grad_scale"),
    (
        "state",
        lambda o, p: o.update_one("v", o.state["w"]["exp_avg"], W),
        ValueError,
        "are the same array",
    ),
    ("all", lambda o, p: o.update(p, p), ValueError, r"update\(\) cannot follow update_one\(\)"),
    ("new", lambda o, p: o.updated(p, p), ValueError, r"updated\(\) cannot follow update_one\(\)"),
    (
        "taken",
        lambda o, p: o.update_one("w", o.update_one("w", p["w"], W), W),
        TypeError,
        "StepInfo",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=[row[0] for row in BAD])
def test_what_fails_changes_nothing(bad: Any) -> None:
    name, call, error, message = bad
    (opt, params), (twin, theirs) = begun(nonfinite="raise"), begun(nonfinite="raise")
    if name == "taken":  # whose first step is one
        twin.update_one("w", theirs["w"], W)
    with pytest.raises(error, match=message):
        call(opt, params)
    for one, of in ((opt, params), (twin, theirs)):
        one.update_one("w", of["w"], W)
        one.update_one("v", np.ones(3), W)
    assert list(opt.state) == list(twin.state) == ["w", ("k", 2), "v"]
    for key, entry in twin.state.items():
        assert_same_entry(opt.state[key], entry)
    for key, p in theirs.items():
        assert_same_bits(params[key], p)


def test_bound_or_begun_otherwise() -> None:
    p = np.ones(3)
    with pytest.raises(ValueError, match=r"bound to its parameters; .* make it without params"):
        fs.Adam([p]).update_one("p", p, W)
    opt = fs.Adam()
    opt.update({"p": p}, {"p": W})
    with pytest.raises(ValueError, match=r"update_one\(\) cannot follow update\(\)"):
        opt.update_one("p", p, W)
    opt.reset()
    opt.update_one("p", p, W)
    assert opt.state["p"]["step"] == 1


def test_memory_that_another_key_has_left_may_be_anything() -> None:
    """The array of a key that will not come again is gone, and its memory is somebody else's."""
    flat = np.zeros(6)
    opt = fs.SGD(lr=1.0, momentum=0.5)

    def view() -> Any:
        owner = flat.copy()
        return owner, owner[:3]

    for i in range(20):
        owner, p = view()
        opt.update_one(i, p, np.ones(3))
        assert_same_bits(p, -np.ones(3))
        del owner, p
    assert len(opt.state) == 20


def test_options_are_those_of_the_one_group() -> None:
    opt, params = begun()
    opt.lr = 0.0
    before = params["w"].copy()
    opt.update_one("w", params["w"], W)
    assert_same_bits(params["w"], before)
    opt.param_groups.append({})
    with pytest.raises(ValueError, match="param_groups itself was changed"):
        opt.update_one("w", params["w"], W)


def test_skipped_steps_are_counted_over_all_keys() -> None:
    opt, params = begun(nonfinite="skip")
    info = opt.update_one(("k", 2), params["k", 2], np.full(2, np.inf))
    assert (info.applied, info.nonfinite) == (False, "('k', 2)")
    opt.update_one("w", params["w"], W * np.nan)
    assert opt.skipped_steps == 2
    assert opt.state["w"]["step"] == 1


def test_rebind_takes_keys() -> None:
    opt, params = begun()
    others = {key: p.copy() for key, p in params.items()}
    opt.rebind(others)
    opt.update_one(("k", 2), others["k", 2], np.ones(2))
    assert opt.state["k", 2]["step"] == 2
    with pytest.raises(ValueError, match="other memory"):
        opt.update_one("w", params["w"], W)


def test_a_key_may_be_looked_up_in_python_that_uses_the_optimizer() -> None:
    opt = fs.SGD(lr=1.0)
    p, q = np.zeros(1), np.zeros(1)

    class Key:
        def __hash__(self) -> int:
            opt.update_one("other", q, np.ones(1))
            return 1

        def __eq__(self, other: object) -> bool:
            return self is other

    key = Key()
    opt.update_one(key, p, np.ones(1))
    opt.update_one(key, p, np.ones(1))
    assert p[0] == -2
    assert q[0] < -2


def test_subclasses_of_str_are_plain_names() -> None:
    class Name(str):
        def __repr__(self) -> str:
            raise RuntimeError

    opt = fs.Adam()
    opt.update_one(Name("w"), np.ones(2), np.ones(2))
    assert opt._names == ["w"]


def test_measured_of_its_own_parameter() -> None:
    opt, params = begun()
    old = params["w"].copy()
    info = opt.update_one("w", params["w"], W, measure="parameter")
    assert info.param_norm == (float(np.linalg.norm(old)),)
    assert isinstance(info.update_norm, tuple)
    np.testing.assert_allclose(info.update_norm[0], np.linalg.norm(params["w"] - old), rtol=1e-12)


@pytest.mark.parametrize("call", ["update", "updated", "update_one", "more"])
def test_a_first_step_that_is_left_out_has_not_been(call: str) -> None:
    opt = fs.Adam(nonfinite="skip")
    p, bad = np.ones(3), np.full(3, np.nan)
    if call == "more":
        opt.update({"p": p}, {"p": W})
        assert not opt.update({"p": p, "q": W.copy()}, {"p": W, "q": bad}).applied
        opt.update({"p": p}, {"p": W})
        assert list(opt.state) == ["p"]
    elif call == "update_one":
        assert not opt.update_one("p", p, bad).applied
    else:
        getattr(opt, call)({"p": p}, {"p": bad})
    assert opt.skipped_steps == 1
    if call != "more":
        opt.update([np.ones(2)], [np.ones(2)])  # nothing is known of it
        assert opt.skipped_steps == 1


def test_an_error_of_the_key_is_its_own() -> None:
    class Key:
        def __hash__(self) -> int:
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        fs.Adam().update_one(Key(), np.ones(3), W)
