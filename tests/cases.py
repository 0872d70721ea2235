"""The table of cases: every general property is tested over all of it. And one of formulas.

A new option set is a new row of `CASES`, a new class one of `FORMULAS` too; nothing else needs to
be told, but `fingerprints.json`, which is printed (`support/fingerprints.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ml_dtypes
import numpy as np

import ferrostep as fs
from ferrostep import optimizers
from ferrostep.averages import rules
from support.exact import Formula, Numbers, decayed, exact, nearest

#: Every class of the package, each once whatever other spellings it has.
CLASSES = list(dict.fromkeys(getattr(optimizers, name) for name in optimizers.__all__))
#: What is behind averages of weights: no public classes, but with cases and formulas.
AVERAGES = [rules.EMA, rules.Mean]


def own_options(cls: type[fs.Optimizer]) -> list[str]:
    """The options that a class has besides those of every class."""
    return [name for name in cls._schema().fields if name not in fs.Optimizer._schema().fields]


@dataclass(frozen=True)
class Case:
    """A class with an option set that takes a path of its own."""

    name: str
    optimizer: type[fs.Optimizer]
    options: dict[str, Any]

    def make(self, params: Any, **more: Any) -> fs.Optimizer:
        return self.optimizer(params, **{**self.options, **more})


def case_of(optimizer: type[fs.Optimizer], **options: Any) -> Case:
    text = ",".join(f"{name}={value}" for name, value in options.items())
    return Case(f"{optimizer.__name__}({text})".replace(" ", ""), optimizer, options)


CASES = [
    case_of(fs.SGD, lr=0.1),
    case_of(fs.SGD, lr=0.1, weight_decay=0.05, maximize=True),
    case_of(fs.SGD, lr=0.1, momentum=0.9),
    case_of(fs.SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    case_of(fs.SGD, lr=0.1, momentum=0.9, nesterov=True, flush_subnormals=True),
    case_of(fs.SGD, lr=0.1, momentum=0.9, average=True, weight_decay=0.01),
    case_of(fs.Momentum),
    case_of(fs.Momentum, nesterov=True, weight_decay=0.01),
    case_of(fs.AdaptiveGains),
    case_of(fs.AdaptiveGains, beta=0.2, min_gain=0.5, max_gain=1.5, weight_decay=0.1),
    case_of(fs.AdaptiveGains, momentum=0.8),
    case_of(fs.AdaptiveGains, momentum=0.5, compare="velocity", beta=0.2, max_gain=float("inf")),
    case_of(fs.AdaptiveGains, momentum=0.5, compare="sign", beta=0.2, weight_decay=0.1),
    case_of(fs.Rprop),
    case_of(fs.Rprop, lr=0.1, etas=(0.4, 1.5), step_sizes=(0.05, 0.5), weight_decay=0.1),
    case_of(fs.RMSprop),
    case_of(fs.RMSprop, eps_inside_sqrt=True, initial_accumulator_value=1.0),
    case_of(fs.RMSprop, centered=True, weight_decay=0.05),
    case_of(fs.RMSprop, centered=True, eps_inside_sqrt=True),
    case_of(fs.RMSprop, momentum=0.9),
    case_of(fs.RMSprop, momentum=0.9, eps_inside_sqrt=True, maximize=True),
    case_of(fs.RMSprop, momentum=0.9, centered=True, weight_decay=0.05),
    case_of(fs.RMSprop, momentum=0.9, centered=True, eps_inside_sqrt=True),
    case_of(fs.Adagrad),
    case_of(fs.Adagrad, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
    case_of(fs.Adagrad, eps_inside_sqrt=True, eps=1e-7, maximize=True),
    case_of(fs.Adadelta),
    case_of(fs.Adadelta, lr=0.5, rho=0.8, eps=1e-5, weight_decay=0.1),
    case_of(fs.Adam),
    case_of(fs.Adam, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-6),
    case_of(fs.Adam, weight_decay=0.1, decoupled_weight_decay=True, maximize=True),
    case_of(fs.Adam, amsgrad=True, flush_subnormals=True),
    case_of(fs.Adam, bias_correction=False),
    case_of(fs.Adam, epsilon_hat=True, eps=1e-7),
    case_of(fs.Adam, bias_correction=False, initial_accumulator_value=1e-6, weight_decay=0.1),
    case_of(fs.AdamW),
    case_of(fs.AdamW, amsgrad=True, weight_decay=0.3),
    case_of(fs.AdamW, amsgrad=True, initial_accumulator_value=0.1),
    case_of(fs.SGD, lr=0.1, momentum=0.9, state_dtype="bfloat16", weight_decay=0.01),
    case_of(fs.RMSprop, momentum=0.9, centered=True, state_dtype="float16"),
    case_of(fs.Rprop, lr=0.1, state_dtype="bfloat16"),
    case_of(fs.Adam, state_dtype="bfloat16", weight_decay=0.1),
    case_of(fs.AdamW, state_dtype="float16", amsgrad=True, flush_subnormals=True),
    case_of(fs.Lion),
    case_of(fs.Lion, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, maximize=True),
    case_of(fs.Lion, state_dtype="bfloat16", weight_decay=0.1),
    case_of(rules.EMA),
    case_of(rules.EMA, decay=0.4),
    case_of(rules.EMA, decay=0.6, warmup=True),
    case_of(rules.Mean),
]

#: By name: what else is in the table, or will be, changes nothing for who asks for one.
CASE = {case.name: case for case in CASES}
#: The first case of each class, for what takes too long to be done with all.
PLAIN = list({case.optimizer: case for case in reversed(CASES)}.values())

DTYPES = [np.float32, np.float64]
#: Computed in float32.
LOW_PRECISION = [np.float16, ml_dtypes.bfloat16]

#: Every case with every type of parameter that it goes with.
RUNS = [
    (case, dtype)
    for case in CASES
    for dtype in [*DTYPES, *LOW_PRECISION]
    if dtype is not np.float64 or "state_dtype" not in case.options
]
RUN_IDS = [f"{case.name}-{np.dtype(dtype).name}" for case, dtype in RUNS]


def sgd(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, mu, damp = exact(o["lr"]), exact(o["momentum"]), exact(o["dampening"])
    p, g, size = decayed(p, g, o)
    if mu == 0:
        return p - lr * g, lr * size, {}
    old, first = s["momentum_buffer"], t == 1 and not o["average"]
    part = 1 - mu if o["average"] else 1 - damp
    new = g if first else mu * old + part * g
    large = size if first else mu * abs(old) + abs(part) * size
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
    elif o["compare"] == "sign":
        same = v * g > 0 or v == g == 0
        gain = gain * (1 - beta) if same else gain + beta
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


def lion(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, (b1, b2) = exact(o["lr"]), map(exact, o["betas"])
    p, g, _ = decayed(p, g, o)
    u = b1 * s["exp_avg"] + (1 - b1) * g
    sign = (u > 0) - (u < 0)
    return p - lr * sign, lr, {"exp_avg": b2 * s["exp_avg"] + (1 - b2) * g}


def ema(e: Decimal, p: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    decay = exact(o["decay"])
    e, p, size = decayed(e, p, o)
    if o["warmup"]:
        decay = min(decay, Decimal(1 + t) / (10 + t))
    decay = decay if t > 1 else Decimal(0)
    return decay * e + (1 - decay) * p, abs(e) + size, {}


def mean(e: Decimal, p: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    e, p, size = decayed(e, p, o)
    return (e * (t - 1) + p) / t, abs(e) + size, {}


#: ``k`` counts the roundings that reach p in the longest form of the rule (momentum, Nesterov,
#: centered; a root halves what came before it).
FORMULAS = {
    fs.SGD: Formula(sgd, p=3.0, state=2.5),  # k = 9: buf 3, d 3, times lr 2, the subtraction
    fs.Momentum: Formula(momentum, p=2.5, state=1.5),  # k = 7: v 3, the look-ahead 3, the addition
    # k = 7: gain 2, times g, times lr 2, v, the addition
    fs.AdaptiveGains: Formula(adaptive_gains, p=2.5, state=3.0),
    # k = 3: step times eta 2, the subtraction; the sign is exact
    fs.Rprop: Formula(rprop, p=1.5, state=1.0),
    # k = 11: r and a*a 8, halved, root, eps, quotient, b, lr 2, subtraction
    fs.RMSprop: Formula(rmsprop, p=3.5, state=3.5),
    # k = 7: s 2, halved, root, eps, lr_t*g 2, quotient, subtraction
    fs.Adagrad: Formula(adagrad, p=2.5, state=1.0),
    # k = 11: two roots 5.5, quotient, times g, times lr 2, subtraction; the state holds d*d, with
    # twice the error of d
    fs.Adadelta: Formula(adadelta, p=3.5, state=6.5),
    # k = 13: step*m 5, root of v 3, times s 2, eps, quotient, subtraction
    fs.Adam: Formula(adam, p=3.5, state=2.5),
    fs.AdamW: Formula(adam, p=4.0, state=2.5),  # as Adam, and the decay
    # k = 2: lr, the subtraction; the sign is exact
    fs.Lion: Formula(lion, p=1.5, state=2.5),
    # k = 4: the difference, w, their product, the sum
    rules.EMA: Formula(ema, p=1.5),
    rules.Mean: Formula(mean, p=1.5),  # k = 3: the difference, the quotient, the sum
}
