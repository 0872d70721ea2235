"""FTRL-Proximal."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, positive


class FTRL(Optimizer):
    """Follow the regularized leader: sparse linear models, with weights that are exactly 0.

    With the gradient ``g`` and the old ``n``, ``z`` and ``p``::

        new = n + g**2
        h   = g + 2*l2_shrinkage*p
        z   = z + h - (sqrt(new) - sqrt(n))/lr * p
        p   = (clamp(z, -l1, l1) - z) / (sqrt(new)/lr + 2*l2 + beta/lr)
        n   = new

    The new parameter is made of the sums alone, the old one counts only in ``z``: begin at 0, for
    what it starts with, or is written into it between two steps, is all but gone after the next.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and > 0.
    l1
        A weight whose sum of gradients is below is 0; default 0.0, finite and >= 0.
    l2
        Draws weights towards 0; default 0.0, finite and >= 0. It counts twice, as in Keras and
        TensorFlow: the paper's is ``2*l2``.
    l2_shrinkage
        Is added to the gradient, twice, and not to its square; default 0.0, finite and >= 0.
    beta
        Makes first steps smaller; default 0.0, finite and >= 0. (The paper has 1.)
    initial_accumulator_value
        What ``n`` starts with; default 0.1, finite and >= 0. (The paper has 0.)
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    accumulator
        The sum of squared gradients, ``n``. Starts at `initial_accumulator_value`.
    linear
        ``z``.

    References
    ----------
    McMahan et al. 2013, Ad click prediction: a view from the trenches (KDD), algorithm 1.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.zeros(2)
    >>> opt = fs.FTRL([p], lr=1.0, l1=1.0)
    >>> for _ in range(3):
    ...     info = opt.step([2 * (p - [3.0, 0.1])])  # the gradient of (p - [3, 0.1])**2
    >>> p.round(4)
    array([1.8102, 0.    ])
    """

    lr: Annotated[float, positive] = 1e-3
    _: KW_ONLY
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    l2_shrinkage: NonNegative = 0.0
    beta: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.1

    RULE = "FTRL"
    STATE = ("accumulator", "linear")
