"""Adagrad."""

from __future__ import annotations

from dataclasses import KW_ONLY

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate


class Adagrad(Optimizer):
    """Learning rates that shrink with the sum of squared gradients: for sparse features.

    With the gradient ``g`` at step ``t``::

        s = s + g**2
        p = p - lr/(1 + (t - 1)*lr_decay) * g/(sqrt(s) + eps)

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-2, finite and >= 0.
    lr_decay
        Decay of the learning rate; default 0.0, finite and >= 0.
    eps
        Keeps the divisor from 0; default 1e-10, finite and >= 0.
    initial_accumulator_value
        What the accumulator starts with; default 0.0, finite and >= 0.
    eps_inside_sqrt
        Add eps under the root instead of to it (Keras, optax); default False.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    sum
        Starts at `initial_accumulator_value`.

    References
    ----------
    Duchi, Hazan & Singer 2011, JMLR 12.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adagrad([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7805, -1.7758])
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    lr_decay: NonNegative = 0.0
    eps: NonNegative = 1e-10
    initial_accumulator_value: NonNegative = 0.0
    eps_inside_sqrt: bool = False

    RULE = "Adagrad"
    STATE = ("sum",)
