"""Momentum with the learning rate inside the velocity."""

from __future__ import annotations

from dataclasses import KW_ONLY

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate


class Momentum(Optimizer):
    """Gradient descent with a velocity that dampens oscillation and carries over flat regions.

    With the gradient ``g``::

        v = momentum*v - lr*g
        p = p + v,  or with Nesterov  p + (momentum*v - lr*g)

    The form of the lecture, of Keras and of scikit-learn; it differs from `SGD` once the
    learning rate changes.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 0.01, finite and >= 0.
    momentum
        How much of the velocity stays; default 0.9, finite and >= 0.
    nesterov
        Look ahead; default False.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    velocity
        Starts at 0.

    References
    ----------
    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013; the lecture, "Momentum".

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Momentum([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.062, -0.124])
    """

    lr: Rate = 0.01
    _: KW_ONLY
    momentum: NonNegative = 0.9
    nesterov: bool = False

    RULE = "Momentum"
    STATE = ("velocity",)
