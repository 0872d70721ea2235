"""NAdam."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates, upper_bound


class NAdam(Optimizer):
    """`Adam` with Nesterov's step, and a momentum that grows towards ``b1``.

    With `Adam`'s ``m`` and ``v`` at step ``t``, ``b1, b2 = betas``::

        mu_t = b1*(1 - 0.96**(t*momentum_decay)/2)
        h = (1 - mu_t)/(1 - mu_1*...*mu_t) * g + mu_(t+1)/(1 - mu_1*...*mu_(t+1)) * m
        p = p - lr * h/(sqrt(v/(1 - b2**t)) + eps)

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 2e-3, finite and >= 0.
    betas
        How much of the averages of g and g**2 stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    momentum_decay
        How fast the momentum grows; default 4e-3, as torch; >= 0, may be infinite. 1, as Keras (and
        the paper, whose 1/250 has become 1 there), has it near ``b1`` within 100 steps; infinity,
        as optax, from the first on.
    cautious
        Default False; True leaves out what would go against the gradient, and makes the rest as
        much longer (arXiv:2411.16085): ``u = u/share where u*g > 0, else 0``, where ``u`` is what
        is subtracted from the parameter, and the share is 0.001 at the least. It is taken over the
        parameter as a whole: then gradients as `Rows` are refused.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    mu_product
        ``mu_1*...*mu_t``, a float.
    exp_avg
        The average of gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``.

    References
    ----------
    Dozat 2016, "Incorporating Nesterov Momentum into Adam", ICLR workshop.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.NAdam([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7527, -1.7475])
    """

    lr: Rate = 2e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    momentum_decay: Annotated[float, upper_bound] = 4e-3
    cautious: bool = False

    RULE = "NAdam"
    STATE = ("exp_avg", "exp_avg_sq")
    MEMORY = ("mu_product",)
