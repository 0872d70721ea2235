"""What torch cannot judge of the NumPy reference: the form of its results, and its corners.

There (NaN, signs, subnormals) the contract goes its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, SEES_NAN, Case, case_of
from ferrostep.backends.reference import update
from support.arrays import Array
from support.first import first_state

#: Beside the defaults, in the worked numbers below; and lr=0.125.
OPTIONS: dict[str, dict[str, Any]] = {"AdaptiveGains": {"beta": 0.25}}


def one_step_of(
    case: Case, p: Array, g: Array, options: Mapping[str, Any] | None = None, **state: Any
) -> tuple[Array, dict[str, Array]]:
    """Make one step; ``state`` overrides the first values of the state."""
    o = case.make(None).defaults | dict(options or {})
    start = first_state(case.optimizer.RULE, o, p)
    start |= {name: np.full_like(start[name], x) for name, x in state.items()}
    return update(case.optimizer.__name__, p, g, start, o, 1, set())


def one_step(
    name: str, p: Array, g: Array, options: Mapping[str, Any] | None = None, **state: Any
) -> tuple[Array, dict[str, Array]]:
    given = {"lr": 0.125, **OPTIONS.get(name, {}), **(options or {})}
    return one_step_of(case_of(getattr(fs, name), **given), p, g, **state)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gradient", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_results_are_new_arrays_of_shape_and_type_of_the_parameter(
    case: Case, dtype: str, gradient: str, shape: tuple[int, ...]
) -> None:
    p, g = np.full(shape, 2.0, dtype), np.full(shape, 0.5, gradient)
    p.flags.writeable = g.flags.writeable = False
    new, state = one_step_of(case, p, g)
    first = first_state(case.optimizer.RULE, case.make(None).defaults, p)
    assert state.keys() == first.keys()
    for name, x in {"p": new, **state}.items():
        if isinstance(x, float):
            continue
        assert type(x) is np.ndarray
        assert (x.dtype, x.shape) == (p.dtype, first.get(name, p).shape)
        assert not np.shares_memory(x, p)
        assert not np.shares_memory(x, g)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layout_and_byte_order_make_no_difference(case: Case) -> None:
    p = np.linspace(-1, 1, 12, dtype="f4").reshape(3, 4)
    g = np.linspace(5, -3, 12, dtype="f8").reshape(3, 4)
    plain = one_step_of(case, p, g)
    odd = one_step_of(case, np.asfortranarray(p.astype(">f4")), g[::-1].astype(">f8")[::-1])
    np.testing.assert_array_equal(plain[0], odd[0], strict=True)
    for name, x in plain[1].items():
        np.testing.assert_array_equal(x, odd[1][name], strict=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numpy_scalars_as_options_change_nothing(case: Case) -> None:
    p, g = np.array([1.0, -3.0], "f4"), np.array([0.3, 0.7], "f4")
    scalars = {
        name: np.float64(x) if isinstance(x, float) else x
        for name, x in case.make(None).defaults.items()
    }
    plain, odd = one_step_of(case, p, g), one_step_of(case, p, g, scalars)
    np.testing.assert_array_equal(plain[0], odd[0], strict=True)


def test_a_gradient_is_rounded_once_to_the_type_of_the_parameter() -> None:
    g = np.array([1 + 2.0**-24 + 2.0**-50, 1e300])
    new, state = one_step("AdaptiveGains", np.zeros(2, "f4"), g)
    np.testing.assert_array_equal(state["prev"], np.array([1 + 2.0**-23, np.inf], "f4"))
    assert new.dtype == "f4"


@pytest.mark.parametrize("case", SEES_NAN, ids=lambda case: case.name)
def test_nan_in_the_gradient_reaches_the_parameter(case: Case) -> None:
    new, _ = one_step_of(case, np.ones(1), np.array([np.nan]))
    assert np.isnan(new).all()


def test_sgd_takes_the_gradient_as_a_fresh_buffer() -> None:
    """At the first use, not at the first step: momentum can be switched on in mid-run."""
    options = fs.SGD(lr=0.5, momentum=0.5, dampening=0.75).defaults
    p, g = np.array([1.0]), np.array([4.0])
    buf = {"momentum_buffer": np.array([2.0])}
    first, state = update("SGD", p, g, buf, options, 3, {"momentum_buffer"})
    np.testing.assert_array_equal([first, state["momentum_buffer"]], [[-1.0], [4.0]])
    later, state = update("SGD", p, g, buf, options, 1, set())
    np.testing.assert_array_equal([later, state["momentum_buffer"]], [[0.0], [2.0]])


def test_signs_are_compared_and_not_multiplied() -> None:
    p, g = np.zeros(2, "f4"), np.array([1e-30, -1e-30], "f4")
    _, state = one_step("Rprop", p, g, prev=1e-30)
    np.testing.assert_array_equal(state["step_size"], np.array([0.125 * 1.2, 0.0625], "f4"))
    _, state = one_step("AdaptiveGains", p, g, prev=1e-30)
    np.testing.assert_array_equal(state["gain"], [1.25, 0.75])


def test_rprop_waits_after_a_change_of_sign_and_keeps_the_step_at_zero_or_nan() -> None:
    g = np.array([-3.0, 0.0, -0.0, np.nan])
    new, state = one_step("Rprop", np.ones(4), g, prev=1.0)
    np.testing.assert_array_equal(state["step_size"], [0.0625, 0.125, 0.125, 0.125])
    np.testing.assert_array_equal(new, [1, 1, 1, np.nan])
    np.testing.assert_array_equal(state["prev"], [0, 0, 0, np.nan])


def test_rprop_clamps_where_there_is_no_sign_too() -> None:
    start = [1e-9, 1.0, 99.0, np.nan]
    _, state = one_step("Rprop", np.ones(4), np.zeros(4), step_size=start)
    np.testing.assert_array_equal(state["step_size"], [1e-6, 1.0, 50.0, np.nan])


def test_gains_by_velocity_shrink_wherever_the_direction_is_not_kept() -> None:
    """The rule of t-SNE: grow where v and g have opposite signs, shrink at zero too."""
    o = fs.AdaptiveGains(
        lr=0.125, beta=0.25, compare="velocity", momentum=0.5, min_gain=0.8
    ).defaults
    v, g = np.array([1.0, 1.0, 0.0, 1.0, 0.0]), np.array([-8.0, 8.0, 8.0, 0.0, 0.0])
    state = {"gain": np.ones(5), "velocity": v}
    new, state = update("AdaptiveGains", np.zeros(5), g, state, o, 1, set())
    assert state.keys() == {"gain", "velocity"}
    np.testing.assert_array_equal(state["gain"], [1.25, 0.8, 0.8, 0.8, 0.8])
    np.testing.assert_array_equal(new, 0.5 * v - 0.125 * (state["gain"] * g))


def test_gains_by_sign_shrink_where_both_have_the_same_sign_of_three() -> None:
    o = fs.AdaptiveGains(lr=0.125, beta=0.25, compare="sign", momentum=0.5, min_gain=0.8).defaults
    v, g = np.array([1.0, 1.0, 0.0, 1.0, 0.0, -0.0]), np.array([-8.0, 8.0, 8.0, 0.0, 0.0, 0.0])
    state = {"gain": np.ones(6), "velocity": v}
    new, state = update("AdaptiveGains", np.zeros(6), g, state, o, 1, set())
    assert state.keys() == {"gain", "velocity"}
    np.testing.assert_array_equal(state["gain"], [1.25, 0.8, 1.25, 1.25, 0.8, 0.8])
    np.testing.assert_array_equal(new, 0.5 * v - 0.125 * (state["gain"] * g))


def test_a_negative_variance_counts_as_zero() -> None:
    """After equal gradients for ever r and a*a are the same but for rounding."""
    options = {"centered": True, "eps": 0.5, "alpha": 1.0}
    r = np.float32(0.1) ** 2 * np.float32(1 - 1e-6)
    new, _ = one_step(
        "RMSprop", np.zeros(1, "f4"), np.ones(1, "f4"), options, square_avg=r, grad_avg=0.1
    )
    assert new == np.float32(-0.25)


def test_amsgrad_keeps_the_old_maximum_against_nan() -> None:
    g = np.array([np.nan, 1e3])
    new, state = one_step("Adam", np.zeros(2), g, {"amsgrad": True}, max_exp_avg_sq=4.0)
    np.testing.assert_array_equal(state["max_exp_avg_sq"], [4.0, (1 - 0.999) * 1e6])
    assert np.isnan(new[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flushing_touches_the_stored_state_only(dtype: type) -> None:
    tiny = np.finfo(dtype).smallest_normal
    g: Array = np.array([tiny / 2, -tiny / 2, tiny, -0.0, np.nan], dtype)
    p: Array = np.zeros(5, dtype)
    kept, _ = one_step("AdaptiveGains", p, g)
    new, state = one_step("AdaptiveGains", p, g, {"flush_subnormals": True})
    np.testing.assert_array_equal(new, kept)
    np.testing.assert_array_equal(state["prev"], np.array([0, 0, tiny, 0, np.nan], dtype))
    assert not np.signbit(state["prev"]).any()
    assert new[0] != 0


def test_what_was_not_asked_for_is_not_done() -> None:
    """A coupled decay by 0 would turn a gradient of -0.0 into +0.0."""
    _, state = one_step("AdaptiveGains", np.ones(1), np.array([-0.0]))
    assert np.signbit(state["prev"])


def test_a_state_of_a_number_is_flushed_too() -> None:
    for dtype in ("f4", "f8"):
        p, q = np.ones((), dtype), np.ones((), dtype)
        tiny = np.full((), np.finfo(dtype).smallest_normal, dtype)
        opts = [
            fs.Adam([x], flush_subnormals=True, backend=backend)
            for x, backend in ((p, "native"), (q, "reference"))
        ]
        for opt in opts:
            opt.step([np.zeros((), dtype)])
            opt.step([-tiny])
            assert opt.state[0]["exp_avg"] == 0
