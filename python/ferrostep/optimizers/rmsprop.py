"""RMSProp."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, number


class RMSprop(Optimizer):
    """Divides the learning rate by a moving average of the gradient's magnitude.

    With the gradient ``g``::

        r = alpha*r + (1 - alpha)*g**2
        p = p - lr*g/(sqrt(r) + eps)

    Centered, the root is of ``r - a**2`` with ``a = alpha*a + (1 - alpha)*g``, never below 0.
    With momentum ``b = momentum*b + g/(sqrt(.) + eps)`` and ``p = p - lr*b``.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-2, finite and >= 0.
    alpha
        How much of the average stays; default 0.99, in [0, 1].
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    momentum
        Momentum factor of the scaled gradient; default 0.0, finite and >= 0.
    centered
        Subtract the square of the mean gradient; default False.
    eps_inside_sqrt
        Add eps under the root instead of to it (Keras, optax); default False.
    initial_accumulator_value
        What the accumulator starts with; default 0.0, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    square_avg
        Starts at `initial_accumulator_value`.
    grad_avg
        When centered.
    momentum_buffer
        When `momentum` is not 0.

    References
    ----------
    Hinton, Neural Networks for Machine Learning, lecture 6e (2012); Graves 2013, arXiv:1308.0850
    (centered).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.RMSprop([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.    , -0.3097])
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    alpha: Annotated[float, number(0, 1, upper_open=False)] = 0.99
    eps: NonNegative = 1e-8
    momentum: NonNegative = 0.0
    centered: bool = False
    eps_inside_sqrt: bool = False
    initial_accumulator_value: NonNegative = 0.0

    RULE = "RMSprop"
    STATE = ("square_avg",)
    OPTIONAL_STATE = ("grad_avg", "momentum_buffer")
