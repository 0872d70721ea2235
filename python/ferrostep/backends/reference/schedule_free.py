"""Rules that average where they have been, in place of a rate that falls.

The parameter is ``y``, where the gradient is taken: between ``z``, where the steps lead, and their
average ``x``, which no array holds.
"""

import math
from collections.abc import Set

import numpy as np

from ferrostep._native import power, real_power  # the same on every platform
from ferrostep.backends.reference.rule import Array, Options, Rule, States


def _averaged(
    y: Array, n: Array, state: States, o: Options, t: int, beta: float
) -> tuple[Array, States]:
    """One step along ``n`` (Defazio et al. 2024, arXiv:2405.15682, with the package's weights).

    ``c`` is the weight of the newest point in the average.  At the first step it is 1, and ``z``,
    which is NaN before, is the parameter.
    """
    lr, warmup = o["lr"], o["warmup_steps"]
    if t < warmup:
        lr = lr * (t / warmup)
    top = max(state["lr_max"], lr)
    weight = real_power(t, o["r"]) * real_power(top, o["weight_lr_power"])
    total = state["weight_sum"] + weight
    c = weight / total if total != 0 else 0.0
    z = np.where(np.isnan(state["z"]), y, state["z"])
    new = {"weight_sum": total, "lr_max": top, "averaged": state["averaged"]}
    y = (y + c * (z - y)) - (lr * (1 - beta * (1 - c))) * n
    return y, {**new, "z": z - lr * n}


def _decay(o: Options) -> float:
    """What of ``y`` is in ``n``: decay that is not in the gradient already."""
    return float(o["weight_decay"]) if o["decoupled_weight_decay"] else 0.0


def schedule_free_sgd(
    y: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Schedule-free SGD: the step is along the gradient at ``y``."""
    return _averaged(y, g + _decay(o) * y, state, o, t, o["momentum"])


def schedule_free_adamw(
    y: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Schedule-free AdamW: Adam's step without a momentum, whose place the average takes."""
    beta1, beta2 = o["betas"]
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    s = 1 / math.sqrt(1 - power(beta2, t))
    n = g / (np.sqrt(v) * s + o["eps"]) + _decay(o) * y
    y, new = _averaged(y, n, state, o, t, beta1)
    return y, {**new, "exp_avg_sq": v}


RULES: dict[str, Rule] = {
    "ScheduleFreeSGD": schedule_free_sgd,
    "ScheduleFreeAdamW": schedule_free_adamw,
}
