"""The NumPy reference against the papers' formulas, computed with 60 digits.

The formulas below are written as the papers have them (with the corrected moments of Adam, for
instance), not as the reference evaluates them, and share no code with it.  Each step starts from
the reference's own numbers, so what is measured is the error of a single step.

Every model returns, beside the new parameter, the *size* of the update: what the update would
be if none of its sums cancelled (``|mu*v| + |lr*g|`` in place of ``mu*v - lr*g``).  An error is
counted in ULP of the larger of ``|p|`` and this size.  Nothing finer can be asked: where two
numbers cancel, their own rounding errors are all that is left.

The bounds follow from counting roundings, see ``BOUNDS``.

One loss is not counted, because float64 itself imposes it: ``1 - 0.999**2`` is 0.002, and the
power is known to half a unit of a number near 1 only.  So the models, too, take ``beta**t`` as
the float64 nearest to it (and everything after that with 60 digits).
"""

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ferrostep.backends.reference import RULES, update

Array = NDArray[Any]
Numbers = dict[str, Decimal]
# (p, g before the decay, state, options, step number) -> (new p, size of the update, new state)
Model = Callable[[Decimal, Decimal, Numbers, Any, int], tuple[Decimal, Decimal, Numbers]]


def exact(x: Any) -> Decimal:
    """Return the number that a float stands for, all digits of it."""
    return Decimal(float(x))


def decayed(p: Decimal, g: Decimal, o: Any) -> tuple[Decimal, Decimal, Decimal]:
    """Return p and g after weight decay and maximisation, and the size of g."""
    wd, lr = exact(o["weight_decay"]), exact(o["lr"])
    if o["maximize"]:
        g = -g
    if o["decoupled_weight_decay"]:
        return p - lr * wd * p, g, abs(g)
    return p, g + wd * p, abs(g) + wd * abs(p)


def sgd(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, mu, damp = exact(o["lr"]), exact(o["momentum"]), exact(o["dampening"])
    p, g, size = decayed(p, g, o)
    if mu == 0:
        return p - lr * g, lr * size, {}
    old = s["momentum_buffer"]
    new = mu * old + (1 - damp) * g if t > 1 else g
    large = mu * abs(old) + abs(1 - damp) * size if t > 1 else size
    step, length = (g + mu * new, size + mu * large) if o["nesterov"] else (new, large)
    return p - lr * step, lr * length, {"momentum_buffer": new}


def momentum(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, mu = exact(o["lr"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    velocity = mu * s["velocity"] - lr * g
    length = mu * abs(s["velocity"]) + lr * size
    if o["nesterov"]:  # the same step once more, from where the velocity leads
        return p + mu * velocity - lr * g, mu * length + lr * size, {"velocity": velocity}
    return p + velocity, length, {"velocity": velocity}


def adaptive_gains(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, beta, mu = exact(o["lr"]), exact(o["beta"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    gain, v = s["gain"], s.get("velocity", Decimal(0))
    if o["compare"] == "velocity":
        gain = gain + beta if v * g < 0 else gain * (1 - beta)
    elif s["prev"] * g > 0:
        gain = gain + beta
    elif s["prev"] * g < 0:
        gain = gain * (1 - beta)
    gain = min(max(gain, exact(o["min_gain"])), exact(o["max_gain"]))
    v_new = mu * v - lr * gain * g
    everything = {"gain": gain, "prev": g, "velocity": v_new}
    return p + v_new, mu * abs(v) + lr * gain * size, {name: everything[name] for name in s}


def rprop(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    p, g, _ = decayed(p, g, o)
    eta_minus, eta_plus = map(exact, o["etas"])
    low, high = map(exact, o["step_sizes"])
    step = s["step_size"]
    if s["prev"] * g > 0:
        step *= eta_plus
    elif s["prev"] * g < 0:
        step *= eta_minus
        g = Decimal(0)
    step = min(max(step, low), high)
    sign = (g > 0) - (g < 0)
    return p - sign * step, step, {"prev": g, "step_size": step}


def rmsprop(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, alpha = exact(o["lr"]), exact(o["alpha"])
    eps, mu = exact(o["eps"]), exact(o["momentum"])
    p, g, size = decayed(p, g, o)
    r = alpha * s["square_avg"] + (1 - alpha) * g**2
    new, variance = {"square_avg": r}, r
    if o["centered"]:
        mean = alpha * s["grad_avg"] + (1 - alpha) * g
        variance = r - mean**2
        new["grad_avg"] = mean
    root = (variance + eps).sqrt() if o["eps_inside_sqrt"] else variance.sqrt() + eps
    # The relative error of r grows by this factor when the variance is what little remains of it.
    size *= r / variance
    if mu == 0:
        return p - lr * g / root, lr * size / root, new
    old = s["momentum_buffer"]
    buffer = mu * old + g / root
    return p - lr * buffer, lr * (mu * abs(old) + size / root), new | {"momentum_buffer": buffer}


def adagrad(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    eps = exact(o["eps"])
    p, g, size = decayed(p, g, o)
    total = s["sum"] + g**2
    root = (total + eps).sqrt() if o["eps_inside_sqrt"] else total.sqrt() + eps
    rate = exact(o["lr"]) / (1 + (t - 1) * exact(o["lr_decay"])) / root
    return p - rate * g, rate * size, {"sum": total}


def adadelta(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, rho, eps = exact(o["lr"]), exact(o["rho"]), exact(o["eps"])
    p, g, size = decayed(p, g, o)
    r = rho * s["square_avg"] + (1 - rho) * g**2
    rate = (s["acc_delta"] + eps).sqrt() / (r + eps).sqrt()
    new = {"square_avg": r, "acc_delta": rho * s["acc_delta"] + (1 - rho) * (rate * g) ** 2}
    return p - lr * rate * g, lr * rate * size, new


def nearest(x: Decimal) -> Decimal:
    """Return the float64 number nearest to ``x``."""
    return exact(float(x))


def adam(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        v = max(v, s["max_exp_avg_sq"])
        new["max_exp_avg_sq"] = v
    m_hat, v_hat, eps_hat = m, v, eps
    if o["bias_correction"]:
        rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
        m_hat, v_hat, large = m / rest1, v / rest2, large / rest1
        if o["epsilon_hat"]:
            eps_hat = eps / rest2.sqrt()
    root = v_hat.sqrt() + eps_hat
    return p - lr * m_hat / root, lr * large / root, new


COMMON = {
    "lr": 0.01,
    "weight_decay": 0.0,
    "decoupled_weight_decay": False,
    "maximize": False,
    "flush_subnormals": False,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.0, "dampening": 0.0, "nesterov": False},
    "Momentum": {"momentum": 0.9, "nesterov": False},
    "AdaptiveGains": {
        "beta": 0.05,
        "min_gain": 0.01,
        "max_gain": 100.0,
        "momentum": 0.0,
        "compare": "gradient",
    },
    "Rprop": {"etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)},
    "RMSprop": {
        "alpha": 0.99,
        "eps": 1e-8,
        "momentum": 0.0,
        "centered": False,
        "eps_inside_sqrt": False,
    },
    "Adagrad": {"lr_decay": 0.0, "eps": 1e-10, "eps_inside_sqrt": False},
    "Adadelta": {"rho": 0.9, "eps": 1e-6, "lr": 1.0},
    "Adam": {
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "amsgrad": False,
        "bias_correction": True,
        "epsilon_hat": False,
    },
}
DEFAULTS["AdamW"] = DEFAULTS["Adam"] | {"weight_decay": 0.01, "decoupled_weight_decay": True}

MODELS: dict[str, Model] = {
    "SGD": sgd,
    "Momentum": momentum,
    "AdaptiveGains": adaptive_gains,
    "Rprop": rprop,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "Adam": adam,
    "AdamW": adam,
}

DECAYS: dict[str, dict[str, Any]] = {
    "no decay": {"weight_decay": 0.0},
    "coupled": {"weight_decay": 0.1, "decoupled_weight_decay": False},
    "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
}

# (class, options that differ from the defaults, first values of the state)
CASES: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    ("SGD", {}, {}),
    ("SGD", {"momentum": 0.9}, {"momentum_buffer": 0}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "maximize": True}, {"momentum_buffer": 0}),
    ("SGD", {"momentum": 0.8, "nesterov": True}, {"momentum_buffer": 0}),
    ("Momentum", {}, {"velocity": 0}),
    ("Momentum", {"nesterov": True}, {"velocity": 0}),
    ("AdaptiveGains", {}, {"gain": 1, "prev": 0}),
    ("AdaptiveGains", {"beta": 0.3, "max_gain": 1.2, "min_gain": 0.8}, {"gain": 1, "prev": 0}),
    ("AdaptiveGains", {"momentum": 0.5}, {"gain": 1, "prev": 0, "velocity": 0}),
    (
        "AdaptiveGains",
        {"momentum": 0.8, "compare": "velocity", "beta": 0.2, "max_gain": float("inf")},
        {"gain": 1, "velocity": 0},
    ),
    ("Rprop", {}, {"prev": 0, "step_size": 0.01}),
    ("Rprop", {"etas": (0.3, 1.7), "step_sizes": (0.005, 0.02)}, {"prev": 0, "step_size": 0.01}),
    ("RMSprop", {}, {"square_avg": 0}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3}, {"square_avg": 1}),
    ("RMSprop", {"eps_inside_sqrt": True, "eps": 1e-7}, {"square_avg": 0}),
    ("RMSprop", {"centered": True}, {"square_avg": 0, "grad_avg": 0}),
    ("RMSprop", {"momentum": 0.9}, {"square_avg": 0, "momentum_buffer": 0}),
    (
        "RMSprop",
        {"momentum": 0.8, "centered": True, "eps_inside_sqrt": True},
        {"square_avg": 0, "grad_avg": 0, "momentum_buffer": 0},
    ),
    ("Adagrad", {}, {"sum": 0}),
    ("Adagrad", {"lr_decay": 0.1}, {"sum": 0.1}),
    ("Adagrad", {"eps_inside_sqrt": True, "eps": 1e-7}, {"sum": 0.1}),
    ("Adadelta", {}, {"square_avg": 0, "acc_delta": 0}),
    ("Adadelta", {"rho": 0.8, "lr": 0.3}, {"square_avg": 0, "acc_delta": 0}),
    ("Adam", {}, {"exp_avg": 0, "exp_avg_sq": 0}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3}, {"exp_avg": 0, "exp_avg_sq": 0}),
    ("Adam", {"bias_correction": False}, {"exp_avg": 0, "exp_avg_sq": 0}),
    ("Adam", {"epsilon_hat": True, "eps": 1e-3}, {"exp_avg": 0, "exp_avg_sq": 0}),
    (
        "Adam",
        {"epsilon_hat": True, "bias_correction": False},
        {"exp_avg": 0, "exp_avg_sq": 0},
    ),
    (
        "Adam",
        {"amsgrad": True, "maximize": True},
        {"exp_avg": 0, "exp_avg_sq": 0, "max_exp_avg_sq": 0},
    ),
    ("AdamW", {}, {"exp_avg": 0, "exp_avg_sq": 0}),
    ("AdamW", {"amsgrad": True}, {"exp_avg": 0, "exp_avg_sq": 0, "max_exp_avg_sq": 0}),
]

# Class: (bound for p, bound for the state), in ULP.  They are the largest errors over 40 seeds,
# rounded up to the next half.  ``k`` counts the roundings that reach p in the longest form of the
# rule (momentum, Nesterov, centered; a root halves what came before it; in float32 the rounding of
# each scalar is one more).  Coupled decay adds three wherever g enters, decoupled decay two to p.
# Each rounding is an error of at most half an ULP, but they seldom all have one sign: the errors
# found are between a quarter and a half of an ULP for each, plus what decay adds.
BOUNDS = {
    "SGD": (2.5, 2.0),  # k = 9: buf 3, d 3, times lr 2, the subtraction
    "Momentum": (2.5, 1.5),  # k = 7: v 3, the look-ahead 3, the addition
    "AdaptiveGains": (2.5, 3.0),  # k = 7: gain 2, times g, times lr 2, v, the addition
    "Rprop": (1.5, 1.0),  # k = 3: step times eta 2, the subtraction; the sign is exact
    "RMSprop": (3.5, 3.5),  # k = 11: r and a*a 8, halved, root, eps, quotient, b, lr 2, subtraction
    "Adagrad": (2.5, 1.0),  # k = 7: s 2, halved, root, eps, lr_t*g 2, quotient, subtraction
    "Adadelta": (3.5, 6.5),  # k = 11: two roots 5.5, quotient, times g, times lr 2, subtraction;
    #                          the state holds d*d, with twice the error of d
    "Adam": (3.5, 2.0),  # k = 13: step*m 5, root of v 3, times s 2, eps, quotient, subtraction
    "AdamW": (3.5, 2.0),  # as Adam
}


def test_every_rule_is_measured() -> None:
    assert RULES.keys() == MODELS.keys() == BOUNDS.keys() == {rule for rule, _, _ in CASES}


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("rule", "options", "first"), CASES)
def test_one_step_is_within_a_few_roundings_of_the_formula(
    rule: str, options: dict[str, Any], first: dict[str, float], dtype: str, decay: str
) -> None:
    for seed in range(8):
        of_p, of_state = worst(rule, options | DECAYS[decay], first, dtype, seed)
        bound_p, bound_state = BOUNDS[rule]
        assert of_p <= bound_p
        # Where g + weight_decay*p cancels, a state that follows g has no digits to be measured
        # by.  The rules come after the decay and do not see it, so nothing is missed here.
        if decay != "coupled":
            assert of_state <= bound_state


def worst(
    rule: str, options: dict[str, Any], first: dict[str, float], dtype: str, seed: int
) -> tuple[float, float]:
    """Return the largest errors in ULP, of a parameter and of a state, in 5 steps of 7 numbers."""
    rng = np.random.default_rng(seed)
    o = COMMON | DEFAULTS[rule] | options
    # Of all sizes, so that in some the rounding of p dominates and in some that of the update.
    p: Array = (rng.normal(size=7) * 10.0 ** np.array([-9, -6, -4, -2, -1, 0, 1])).astype(dtype)
    state: dict[str, Array] = {name: np.full(7, x, dtype) for name, x in first.items()}
    of_p = of_state = 0.0
    for t in range(1, 6):
        g: Array = (rng.normal(size=7) * 10.0 ** rng.uniform(-3, 2, 7)).astype(dtype)
        p_new, new = update(rule, p, g, state, o, t, set(first) if t == 1 else set())
        for i in range(7):
            old = {name: exact(x[i]) for name, x in state.items()}
            with localcontext(Context(prec=60)):
                want, size, wanted = MODELS[rule](exact(p[i]), exact(g[i]), old, o, t)
                of_p = max(of_p, ulp(p_new[i], want, max(abs(exact(p[i])), size), dtype))
                assert new.keys() == wanted.keys()
                for name, x in new.items():
                    of_state = max(of_state, ulp(x[i], wanted[name], abs(old[name]), dtype))
        p, state = p_new, new
    return of_p, of_state


def ulp(x: Any, want: Decimal, size: Decimal, dtype: str) -> float:
    """Return the distance of ``x`` and ``want`` in ULP of the larger of ``want`` and ``size``."""
    unit = np.spacing(np.array(max(abs(want), size), dtype))
    return float(abs(exact(x) - want) / exact(unit))
