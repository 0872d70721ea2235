"""thinc's formulas as optimizers of ours, and what is left to do beside their step."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from ferrostep import optimizers
from ferrostep._native import global_norm, power
from ferrostep.optimizer import Optimizer
from ferrostep.options import non_negative, number, upper_bound

_rate_of_decay = number(0.0, 1.0)
#: thinc's words for its numbers, in the order that they are read.
CHECKS = {
    "learn_rate": non_negative,
    "beta1": _rate_of_decay,
    "beta2": _rate_of_decay,
    "eps": non_negative,
    "L2": non_negative,
    "grad_clip": upper_bound,
    "lr_scale": non_negative,
}


class Numbers(NamedTuple):
    """What a call goes by, checked."""

    learn_rate: float
    betas: tuple[float, float]
    #: Of Adam in float32. thinc's NumpyOps rounds a beta before it subtracts it from 1, which
    #: makes 1 - 0.999 larger by 5e-5 of itself.
    narrow_betas: tuple[float, float]
    eps: float
    L2: float
    grad_clip: float
    lr_scale: float


def read(values: tuple[Any, ...]) -> Numbers:
    """Return what schedules have said; thinc takes a bool for a number."""
    given = zip(CHECKS.items(), values, strict=True)
    found = [check(name, int(v) if isinstance(v, bool) else v) for (name, check), v in given]
    learn_rate, beta1, beta2, *rest = found
    narrow = float(np.float32(beta1)), float(np.float32(beta2))
    return Numbers(learn_rate, (beta1, beta2), narrow, *rest)


FIXED: Mapping[str, Any] = {"decoupled_weight_decay": True}
#: thinc folds the corrections of bias into the rate.
ADAM: Mapping[str, Any] = {**FIXED, "bias_correction": False}


class Formula(NamedTuple):
    """A step: the class of ours, its options, and what is subtracted from the weights after it."""

    ours: type[Optimizer]
    options: dict[str, Any]
    #: Options that stay.
    fixed: Mapping[str, Any] = FIXED
    #: So many times Adam's average of gradients.
    of_average: float = 0.0
    #: So many times the weights themselves.
    of_weights: float = 0.0


def formula(now: Numbers, t: int, radam: bool, decayed: bool, wide: bool) -> Formula:
    """Return a parameter's step number `t`; `wide`: it is computed in float64."""
    rate = now.learn_rate * now.lr_scale
    decay = rate * now.L2 if decayed else 0.0
    beta1, beta2 = now.betas
    if radam:
        size, divided = rectified(t + 1, beta1, beta2)  # thinc counts from 2 here
        lr = now.learn_rate * size  # without lr_scale, as in thinc
        if not divided:
            # The averages alone move in ours, and no eps of 0 may divide.
            options = {"lr": 0.0, "weight_decay": 0.0, "betas": now.betas, "eps": 1.0}
            return Formula(optimizers.Adam, options, ADAM, lr, decay)
        options, left = with_decay(lr, decay)
        options |= {"betas": now.betas, "eps": now.eps}
        return Formula(optimizers.Adam, options, ADAM, 0.0, left)
    if beta1 and beta2:
        betas = now.betas if wide else now.narrow_betas
        lr = rate * sqrt(1.0 - power(beta2, t)) / (1.0 - power(beta1, t))
        options, left = with_decay(lr, decay)
        options |= {"betas": betas, "eps": now.eps}
        return Formula(optimizers.Adam, options, ADAM, 0.0, left)
    if beta2:
        raise NotImplementedError(
            f"beta1 must be > 0 where beta2 is, found beta1={beta1!r} and beta2={beta2!r}; "
            "both are 0 for plain steps, and thinc has no others"
        )
    options, left = with_decay(rate, decay)
    return Formula(optimizers.SGD, options, FIXED, 0.0, left)


def with_decay(lr: float, decay: float) -> tuple[dict[str, Any], float]:
    """Return options that decay weights by a share of them, and what share they leave undone.

    thinc decays after the step, and ours before it: (p - lr*u)*(1 - decay) is the step of
    p*(1 - decay) by lr*(1 - decay).
    """
    smaller = lr * (1.0 - decay)
    if smaller > 0.0 and isfinite(decay / smaller):
        return {"lr": smaller, "weight_decay": decay / smaller}, 0.0
    return {"lr": lr, "weight_decay": 0.0}, decay


def rectified(t: int, beta1: float, beta2: float) -> tuple[float, bool]:
    """Return RAdam's step size (Liu et al. 2019, arXiv:1908.03265), and whether it divides.

    While too few squares are known for their average to be of use, it does not.
    """
    correction, power2 = 1.0 - power(beta1, t), power(beta2, t)
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * t * power2 / (1.0 - power2)
    if length < 5.0:
        return 1.0 / correction, False
    share = (length - 4.0) / (longest - 4.0) * (length - 2.0) / length * longest / (longest - 2.0)
    return sqrt((1.0 - power2) * share) / correction, True


def decay_of_average(t: int) -> float:
    """Return how much of an average stays at its update number `t`."""
    return min((1.0 + t) / (10.0 + t), 0.9999)


def clipped(gradient: Any, name: str, bound: float) -> tuple[Any, float | None]:
    """Return a gradient, and what to multiply it by so that its norm is at most `bound`."""
    norm = global_norm([gradient], [name])
    if not norm >= bound:  # nor where it is NaN
        return gradient, None
    factor = bound / norm
    if factor > 0.0:
        return gradient, factor
    with np.errstate(invalid="ignore"):  # infinite: NaN where it is, else 0
        return gradient * gradient.dtype.type(factor), None
