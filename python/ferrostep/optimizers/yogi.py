"""Yogi."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class Yogi(Optimizer):
    """Adam whose average of squares moves in small steps, so that its rate never grows suddenly.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        v = v - (1 - b2)*sign(v - g**2)*g**2
        p = p - lr/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-2, finite and >= 0.
    betas
        How much of the average of g stays, and how far ``v`` may not move; default (0.9, 0.999),
        each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-3, finite and >= 0.
    initial_accumulator_value
        What ``m`` and ``v`` start with; default 1e-6, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``. Starts at `initial_accumulator_value`, as in optax.
    exp_avg_sq
        The measure of squared gradients, ``v``. Starts there, too.

    References
    ----------
    Zaheer, Reddi, Sachan, Kale & Kumar 2018, Adaptive methods for nonconvex optimization (NeurIPS),
    algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Yogi([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7018, -1.7008])
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-3
    initial_accumulator_value: NonNegative = 1e-6

    RULE = "Yogi"
    STATE = ("exp_avg", "exp_avg_sq")
