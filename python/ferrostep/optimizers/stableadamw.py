"""StableAdamW."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class StableAdamW(Optimizer):
    """`AdamW` that makes a step smaller where a tensor's gradients have outgrown ``v``.

    With ``b1, b2 = betas`` at step ``t``, and the mean over the parameter::

        c1, c2 = (1 - b1)/(1 - b1**t), (1 - b2)/(1 - b2**t)
        m = (1 - c1)*m + c1*g
        v = (1 - c2)*v + c2*g**2
        rate = lr / max(1, sqrt(mean(g**2 / max(v, eps**2))))
        p = p*(1 - rate*weight_decay) - rate * m/(sqrt(v) + eps)

    Where the mean is below 1 that is AdamW; its ``m`` and ``v`` are AdamW's, corrected.

    The sums are over each parameter as a whole: gradients as `Rows` are refused.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of the averages of g and g**2 stays; default (0.9, 0.99), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-6, finite and >= 0.
    weight_decay
        Default 1e-2, finite and >= 0.
    decoupled_weight_decay
        Default True, with the smaller rate; False: ``weight_decay*p`` is added to the gradient.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``.

    References
    ----------
    Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt 2023, arXiv:2304.13013, algorithm 2;
    in the form of torch-optimi.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.StableAdamW([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.6988, -1.6949])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.99)
    eps: NonNegative = 1e-6
    weight_decay: float = 1e-2
    decoupled_weight_decay: bool = True

    RULE = "StableAdamW"
    STATE = ("exp_avg", "exp_avg_sq")
