"""AdaBelief."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class AdaBelief(Optimizer):
    """Adam that divides by how far gradients are from their average, not from 0.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        s = b2*s + (1 - b2)*(g - m)**2 + eps_root
        p = p - lr/(1 - b1**t) * m/(sqrt(s)/sqrt(1 - b2**t) + eps)

    Where gradients agree its steps are large. Both epsilons matter more than Adam's: with float32
    state nothing below 1e-38 is kept of ``s``.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of both averages stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-16, finite and >= 0.
    eps_root
        Is added to ``s`` in each step, and stays in it; default 1e-16, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`. The authors' own class has
        ``decoupled_weight_decay=True``, and RAdam's first steps, which this one has not.

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_avg_var
        The average of squared deviations, ``s``.

    References
    ----------
    Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris & Duncan 2020, arXiv:2010.07468, algorithm
    2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.AdaBelief([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.6523, -1.6506])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-16
    eps_root: NonNegative = 1e-16

    RULE = "AdaBelief"
    STATE = ("exp_avg", "exp_avg_var")
