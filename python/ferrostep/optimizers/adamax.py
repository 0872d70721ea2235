"""Adamax."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class Adamax(Optimizer):
    """Adam with the greatest gradient of late in the place of the average of squares.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        u = max(b2*u, abs(g) + eps)
        p = p - lr/(1 - b1**t) * m/u

    Steps are at most about `lr`, and a gradient of 0 leaves ``u`` alone but for its decay: for
    embeddings and other parameters whose gradients are often 0.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 2e-3, finite and >= 0.
    betas
        How much of the average of g and of the maximum stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    eps_inside_max
        Default True, as torch; False: ``u = max(b2*u, abs(g))``, and the divisor is ``u + eps``
        (Keras).
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_inf
        The decaying maximum, ``u``. Starts at 0.

    References
    ----------
    Kingma & Ba 2014, arXiv:1412.6980, algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adamax([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7155, -1.7076])
    """

    lr: Rate = 2e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    eps_inside_max: bool = True

    RULE = "Adamax"
    STATE = ("exp_avg", "exp_inf")
