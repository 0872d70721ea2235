"""The NumPy reference against torch: 12 recorded steps of torch.optim for each set of options.

The two cannot agree to the bit, because torch's CPU kernels fuse a multiplication into the
addition that follows it.  Worked out with exact fractions, the recorded numbers are
``fma(-lr, d, p)`` for SGD's parameter, ``fma(1 - beta1, g - m, m)`` for Adam's first moment and
``fma((1 - beta2)*g, g, beta2*v)`` for its second.  So the distance is measured, in ULP, and held
below the bound of the rule.

``replay`` runs a case through anything that steps; ``Reference`` is what steps here.  To hold
the public classes to the same figures, write a second class with the two methods of ``Stepper``
and give it to ``replay``.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from ferrostep.backends.reference import RULES, update

Array = NDArray[Any]
Case = dict[str, Any]

CASES: list[Case] = json.loads((Path(__file__).parent / "vectors/torch.json").read_text())["cases"]
KNOWN = [case for case in CASES if case["optimizer"] in RULES]

# How many cases of each class the file holds, so that none can be left out in silence.
EXPECTED = {
    "SGD": 12,
    "RMSprop": 10,
    "Adam": 10,
    "AdamW": 4,
    "Adagrad": 4,
    "Adadelta": 4,
    "Rprop": 4,
}

# The largest distance that was found, rounded up to whole ULP, over both types and all steps.
# Errors of p add up over the 12 steps; "state" is the worst of the final state arrays.
BOUNDS = {
    # p: torch fuses p - lr*d.  state: it fuses the dampened gradient into the buffer.
    "SGD": {"p": 3, "state": 1},
    # state: fused, and (c*g)*g for c*(g*g).  p: without momentum 2; with it, an error in the
    # buffer (whose values are about 10) goes into p (about 0.1) again at each of the later steps.
    "RMSprop": {"p": 12, "state": 3},
    # state: fused, and m + c*(g - m) for b*m + c*g.  p: the error of m, and torch divides the
    # root of v by sqrt(1 - beta2**t) where we multiply by the inverse.
    "Adam": {"p": 7, "state": 3},
    "AdamW": {"p": 2, "state": 3},
    # state: torch fuses s + g*g.  p: its own formula is ours.
    "Adagrad": {"p": 1, "state": 2},
    # state: acc_delta sums squares of steps whose own last bits differ.  p: fused.
    "Adadelta": {"p": 1, "state": 5},
    # A sign times a step size is exact, fused or not: the same bits.
    "Rprop": {"p": 0, "state": 0},
}

# Options as in the classes, because torch's record names only those that differ from torch's.
COMMON = {
    "weight_decay": 0.0,
    "decoupled_weight_decay": False,
    "maximize": False,
    "flush_subnormals": False,
}
ADAM = {
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "amsgrad": False,
    "bias_correction": True,
    "epsilon_hat": False,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.0, "dampening": 0.0, "nesterov": False},
    "Rprop": {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)},
    "RMSprop": {
        "alpha": 0.99,
        "eps": 1e-8,
        "momentum": 0.0,
        "centered": False,
        "eps_inside_sqrt": False,
    },
    "Adagrad": {
        "lr_decay": 0.0,
        "eps": 1e-10,
        "initial_accumulator_value": 0.0,
        "eps_inside_sqrt": False,
    },
    "Adadelta": {"rho": 0.9, "eps": 1e-6},
    "Adam": ADAM,
    "AdamW": ADAM | {"weight_decay": 1e-2, "decoupled_weight_decay": True},
}


class Stepper(Protocol):
    """An optimizer that holds its parameters."""

    def step(self, gradients: Sequence[Array | None], lr: float) -> Sequence[Array]:
        """Make one step and return the parameters."""

    def state(self, i: int) -> Mapping[str, Any]:
        """Return the state of parameter ``i``: its arrays, and its count of steps as "step"."""


class Reference:
    """The reference as an optimizer: makes a parameter's state at its first step."""

    def __init__(self, name: str, options: Mapping[str, Any], parameters: Sequence[Array]) -> None:
        self.name = name
        self.options = COMMON | DEFAULTS[name] | dict(options)
        self.parameters = list(parameters)
        self.states: list[dict[str, Array]] = [{} for _ in parameters]
        self.steps = [0] * len(self.parameters)

    def step(self, gradients: Sequence[Array | None], lr: float) -> Sequence[Array]:
        self.options["lr"] = lr
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            if g is None:
                continue
            missing = self.first_state(p).keys() - self.states[i].keys()
            state = self.first_state(p) | self.states[i]
            self.steps[i] += 1
            self.parameters[i], self.states[i] = update(
                self.name, p, g, state, self.options, self.steps[i], missing
            )
        return self.parameters

    def state(self, i: int) -> Mapping[str, Any]:
        return {"step": self.steps[i], **self.states[i]}

    def first_state(self, p: Array) -> dict[str, Array]:
        o = self.options
        values: dict[str, float] = {
            "SGD": {"momentum_buffer": 0.0} if o.get("momentum") else {},
            "Rprop": {"prev": 0.0, "step_size": o["lr"]},
            "RMSprop": {"square_avg": 0.0}
            | ({"grad_avg": 0.0} if o.get("centered") else {})
            | ({"momentum_buffer": 0.0} if o.get("momentum") else {}),
            "Adagrad": {"sum": o.get("initial_accumulator_value", 0.0)},
            "Adadelta": {"square_avg": 0.0, "acc_delta": 0.0},
        }.get(
            self.name,
            {"exp_avg": 0.0, "exp_avg_sq": 0.0}
            | ({"max_exp_avg_sq": 0.0} if o.get("amsgrad") else {}),
        )
        return {name: np.full_like(p, value) for name, value in values.items()}


def replay(
    case: Case, start: Callable[[str, Mapping[str, Any], list[Array]], Stepper]
) -> dict[str, float]:
    """Run a recorded case; return the largest distance in ULP of "p" and of each state array."""

    def array(values: Any) -> Array:
        return np.array(values, case["dtype"])

    now = [array(p) for p in case["initial"]]
    largest: list[dict[str, Array]] = [{"p": abs(p)} for p in now]
    worst: dict[str, float] = {"p": 0.0}
    optimizer = start(case["optimizer"], case["options"], now)
    recorded = zip(
        case["gradients"],
        case["learning_rates"],
        case["parameters_after_each_step"],
        strict=True,
    )
    for gradients, lr, wanted in recorded:
        now = [*optimizer.step([None if g is None else array(g) for g in gradients], lr)]
        for i, (p, want) in enumerate(zip(now, wanted, strict=True)):
            for name, x in {"p": p, **optimizer.state(i)}.items():
                if name != "step":
                    largest[i][name] = np.fmax(largest[i].get(name, 0), abs(x))
            worst["p"] = max(worst["p"], distance(p, array(want), largest[i]["p"]))
    for i, final in enumerate(case["final_state"]):
        state = optimizer.state(i)
        for name, want in final.items():
            if name == "step":
                assert state["step"] == want
            else:
                error = distance(state[name], array(want), largest[i][name])
                worst[name] = max(worst.get(name, 0.0), error)
    return worst


def distance(a: Array, b: Array, largest: Array) -> float:
    """Return the largest difference of ``a`` and ``b``, in ULP.

    The unit is the spacing of floating-point numbers at the largest magnitude that the element
    has had up to this step.  A rounding error made while a value was large stays in it; when the
    value later passes close to 0, the error is many ULP of what is left and no worse than before.
    """
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    unit = np.spacing(np.maximum(np.maximum(abs(a), abs(b)), largest))
    return float(np.max(abs(a - b) / unit))


def test_every_recorded_case_is_run() -> None:
    assert Counter(case["optimizer"] for case in KNOWN) == EXPECTED
    assert BOUNDS.keys() == EXPECTED.keys()


def title(case: Case) -> str:
    options = (f"{name}={value}" for name, value in case["options"].items() if name != "lr")
    return "-".join([case["optimizer"], case["dtype"], *options])


@pytest.mark.parametrize("case", KNOWN, ids=title)
def test_reference_agrees_with_torch(case: Case) -> None:
    check(case, replay(case, Reference))


def check(case: Case, worst: Mapping[str, float]) -> None:
    """Hold what ``replay`` found against the bounds of the rule."""
    bounds = BOUNDS[case["optimizer"]]
    for name, error in worst.items():
        bound = bounds["p" if name == "p" else "state"]
        assert error <= bound, f"{name}: {error} ULP from torch, bound {bound}"


# What torch cannot judge: the form of the results, and the corners where the contract (NaN,
# signs, subnormals) goes its own way.

GAINS = {"beta": 0.25, "min_gain": 0.01, "max_gain": 100.0, "momentum": 0.0, "compare": "gradient"}
OPTIONS: dict[str, dict[str, Any]] = {
    **DEFAULTS,
    "SGD": DEFAULTS["SGD"] | {"momentum": 0.9},
    "Momentum": {"momentum": 0.9, "nesterov": False},
    "AdaptiveGains": GAINS,
}
STATE: dict[str, dict[str, float]] = {
    "SGD": {"momentum_buffer": 0.0},
    "Momentum": {"velocity": 0.0},
    "AdaptiveGains": {"gain": 1.0, "prev": 0.0},
    "Rprop": {"prev": 0.0, "step_size": 0.125},
    "RMSprop": {"square_avg": 0.0},
    "Adagrad": {"sum": 0.0},
    "Adadelta": {"square_avg": 0.0, "acc_delta": 0.0},
    "Adam": {"exp_avg": 0.0, "exp_avg_sq": 0.0},
    "AdamW": {"exp_avg": 0.0, "exp_avg_sq": 0.0},
}


def one_step(
    rule: str, p: Array, g: Array, options: Mapping[str, Any] | None = None, **state: Any
) -> tuple[Array, dict[str, Array]]:
    """Make one step at ``lr=0.125``; ``state`` overrides the first values of the state."""
    native = p.dtype.newbyteorder("=")
    start = {k: np.full(p.shape, v, native) for k, v in (STATE[rule] | state).items()}
    o = {"lr": 0.125} | COMMON | OPTIONS[rule] | dict(options or {})
    return update(rule, p, g, start, o, 1, set())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gradient", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_results_are_new_arrays_of_shape_and_type_of_the_parameter(
    rule: str, dtype: str, gradient: str, shape: tuple[int, ...]
) -> None:
    p, g = np.full(shape, 2.0, dtype), np.full(shape, 0.5, gradient)
    p.flags.writeable = g.flags.writeable = False
    new, state = one_step(rule, p, g)
    assert state.keys() == STATE[rule].keys()
    for x in (new, *state.values()):
        assert type(x) is np.ndarray
        assert (x.dtype, x.shape) == (p.dtype, p.shape)
        assert not np.shares_memory(x, p)
        assert not np.shares_memory(x, g)


@pytest.mark.parametrize("rule", RULES)
def test_layout_and_byte_order_make_no_difference(rule: str) -> None:
    p = np.linspace(-1, 1, 12, dtype="f4").reshape(3, 4)
    g = np.linspace(5, -3, 12, dtype="f8").reshape(3, 4)
    plain = one_step(rule, p, g)
    odd = one_step(rule, np.asfortranarray(p.astype(">f4")), g[::-1].astype(">f8")[::-1])
    np.testing.assert_array_equal(plain[0], odd[0], strict=True)
    for name, x in plain[1].items():
        np.testing.assert_array_equal(x, odd[1][name], strict=True)


@pytest.mark.parametrize("rule", RULES)
def test_numpy_scalars_as_options_change_nothing(rule: str) -> None:
    p, g = np.array([1.0, -3.0], "f4"), np.array([0.3, 0.7], "f4")
    scalars = {
        name: np.float64(x) if isinstance(x, float) else x for name, x in OPTIONS[rule].items()
    }
    plain, odd = one_step(rule, p, g), one_step(rule, p, g, scalars | {"lr": np.float64(0.125)})
    np.testing.assert_array_equal(plain[0], odd[0], strict=True)


def test_a_gradient_is_rounded_once_to_the_type_of_the_parameter() -> None:
    g = np.array([1 + 2.0**-24 + 2.0**-50, 1e300])
    new, state = one_step("AdaptiveGains", np.zeros(2, "f4"), g)
    np.testing.assert_array_equal(state["prev"], np.array([1 + 2.0**-23, np.inf], "f4"))
    assert new.dtype == "f4"


@pytest.mark.parametrize("rule", RULES)
def test_nan_in_the_gradient_reaches_the_parameter(rule: str) -> None:
    new, _ = one_step(rule, np.ones(1), np.array([np.nan]))
    assert np.isnan(new).all()


def test_sgd_takes_the_gradient_as_a_fresh_buffer() -> None:
    """At the first use, not at the first step: momentum can be switched on in mid-run."""
    options = {"lr": 0.5} | COMMON | DEFAULTS["SGD"] | {"momentum": 0.5, "dampening": 0.75}
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
    options = {"compare": "velocity", "momentum": 0.5, "min_gain": 0.8}
    v, g = np.array([1.0, 1.0, 0.0, 1.0, 0.0]), np.array([-8.0, 8.0, 8.0, 0.0, 0.0])
    o = {"lr": 0.125} | COMMON | GAINS | options
    state = {"gain": np.ones(5), "velocity": v}
    new, state = update("AdaptiveGains", np.zeros(5), g, state, o, 1, set())
    assert state.keys() == {"gain", "velocity"}
    np.testing.assert_array_equal(state["gain"], [1.25, 0.8, 0.8, 0.8, 0.8])
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
