"""AdaDelta."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, number


class Adadelta(Optimizer):
    """RMSProp's relative that finds its own unit: a ratio of averages replaces the learning rate.

    With the gradient ``g``::

        r = rho*r + (1 - rho)*g**2
        d = sqrt(a + eps)/sqrt(r + eps) * g
        a = rho*a + (1 - rho)*d**2
        p = p - lr*d

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1.0, finite and >= 0.
    rho
        How much of the averages stays; default 0.9, in [0, 1].
    eps
        Keeps the divisor from 0; default 1e-6, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    square_avg
        The average of squared gradients, ``r``.
    acc_delta
        The average of squared updates, ``a``.

    References
    ----------
    Zeiler 2012, arXiv:1212.5701.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adadelta([p])
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.9903, -1.9903])
    """

    lr: Rate = 1.0
    _: KW_ONLY
    rho: Annotated[float, number(0, 1, upper_open=False)] = 0.9
    eps: NonNegative = 1e-6

    RULE = "Adadelta"
    STATE = ("square_avg", "acc_delta")
