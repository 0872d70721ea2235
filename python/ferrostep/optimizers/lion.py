"""Lion."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, decay_rates


class Lion(Optimizer):
    """The sign of an average of gradients: every weight moves by the learning rate or not at all.

    With the gradient ``g``, ``b1, b2 = betas`` and the old ``m``::

        p = p*(1 - lr*weight_decay)
        p = p - lr*sign(b1*m + (1 - b1)*g)
        m = b2*m + (1 - b2)*g

    One state array instead of Adam's two. Its steps are larger than Adam's, so `lr` is usually 3 to
    10 times smaller, and `weight_decay` as many times larger.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-4, finite and >= 0.
    betas
        How much of ``m`` goes into the step, and how much of it stays; default (0.9, 0.99), each in
        [0, 1).
    cautious
        Default False; True leaves out what would go against the gradient, and makes the rest as
        much longer (arXiv:2411.16085): ``u = u/share where u*g > 0, else 0``, where ``u`` is what
        is subtracted from the parameter, and the share is 0.001 at the least. It is taken over the
        parameter as a whole: then gradients as `Rows` are refused.
    decoupled_weight_decay
        Default True.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``. Starts at 0.

    References
    ----------
    Chen, Liang, Huang et al. 2023, arXiv:2302.06675, algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Lion([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7, -1.7])
    """

    lr: Rate = 1e-4
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.99)
    cautious: bool = False
    decoupled_weight_decay: bool = True

    RULE = "Lion"
    STATE = ("exp_avg",)
