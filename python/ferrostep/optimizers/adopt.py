"""ADOPT."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates, non_negative, optional


class ADOPT(Optimizer):
    """Adam in another order, with which it converges for any ``b2``.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``, and the old ``v``::

        n = g/max(sqrt(v), eps), at most (t - 1)**clip_exponent from 0
        m = b1*m + (1 - b1)*n
        p = p - lr*m
        v = b2*v + (1 - b2)*g**2

    The first step only makes ``v = g**2``; ``p`` stays, without decoupled weight decay too.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of both averages stays; default (0.9, 0.9999), each in [0, 1).
    eps
        The least divisor; default 1e-6, finite and >= 0.
    clip_exponent
        How fast the bound of the first steps grows; default 0.25, as in the authors' code, finite
        and >= 0 (timm has 0.333). None: no bound, as in the paper's algorithm.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of divided gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``; first the first square.

    References
    ----------
    Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo 2024,
    arXiv:2411.02853, algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.ADOPT([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.9711, -1.971 ])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.9999)
    eps: NonNegative = 1e-6
    clip_exponent: Annotated[float | None, optional(non_negative)] = 0.25

    RULE = "ADOPT"
    STATE = ("exp_avg", "exp_avg_sq")
