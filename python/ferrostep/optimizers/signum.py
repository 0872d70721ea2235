"""Signum."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, number


class Signum(Optimizer):
    """Steps of one size along the signs of an average of gradients; SignSGD with ``momentum=0``.

    With the gradient ``g``::

        m = momentum*m + (1 - momentum)*g
        p = p - lr*sign(m)

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        The size of the step; default 1e-4, finite and >= 0.
    momentum
        How much of the average stays; default 0.9, in [0, 1).
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average, ``m``, unless momentum is 0. Starts at 0.

    References
    ----------
    Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434, algorithms 1 and 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Signum([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7, -1.7])
    """

    lr: Rate = 1e-4
    _: KW_ONLY
    momentum: Annotated[float, number(0, 1)] = 0.9

    RULE = "Signum"
    OPTIONAL_STATE = ("exp_avg",)
