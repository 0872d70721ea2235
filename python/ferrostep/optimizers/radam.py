"""RAdam."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class RAdam(Optimizer):
    """Adam that warms itself up: its first steps, when ``v`` is of few squares, are momentum's.

    With `Adam`'s ``m`` and ``v`` at step ``t``, ``b1, b2 = betas``::

        rho_inf = 2/(1 - b2) - 1
        rho = rho_inf - 2*t*b2**t/(1 - b2**t)
        r = sqrt((rho - 4)*(rho - 2)*rho_inf / ((rho_inf - 4)*(rho_inf - 2)*rho))
        p = p - lr*r*sqrt(1 - b2**t)/(1 - b1**t) * m/(sqrt(v) + eps)    if rho > 5
        p = p - lr/(1 - b1**t) * m                                      otherwise

    With the default `betas` that is from the sixth step on; with a ``b2`` of 2/3 or less, never.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of the averages of g and g**2 stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    epsilon_hat
        Default True, as torch; False: ``lr*r/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)``, as
        optax.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``.

    References
    ----------
    Liu, Jiang, He, Chen, Liu, Gao & Han 2019, arXiv:1908.03265, algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.RAdam([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.4623, -0.9246])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    epsilon_hat: bool = True

    RULE = "RAdam"
    STATE = ("exp_avg", "exp_avg_sq")
