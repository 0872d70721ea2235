"""LAMB."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class LAMB(Optimizer):
    """Adam's step, as long as its parameter is: for large batches.

    With `Adam`'s ``m`` and ``v``, and norms over the parameter::

        u = m/(1 - b1**t) / (sqrt(v/(1 - b2**t)) + eps) + weight_decay*p
        p = p - lr * |p|/|u| * u

    The ratio of the norms is 1 where one of them is 0. timm's ``Lamb`` has no ratio without weight
    decay unless it is told ``always_adapt=True``, and clips gradients: ``opt.step(grads,
    max_norm=1.0)``.

    The sums are over each parameter as a whole: gradients as `Rows` are refused.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of the averages of g and g**2 stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-6, finite and >= 0.
    bias_correction
        Divide the averages by ``1 - b**t``; default True.
    trust_clip
        Whether the ratio is at most 1; default False.
    weight_decay
        Default 1e-2, finite and >= 0; a part of ``u``.
    decoupled_weight_decay
        Default True; False: ``weight_decay*p`` is added to the gradient instead.
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
    You, Li, Reddi, Hseu et al. 2019, arXiv:1904.00962, algorithm 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.LAMB([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.5724, -1.5655])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-6
    bias_correction: bool = True
    trust_clip: bool = False
    weight_decay: float = 1e-2
    decoupled_weight_decay: bool = True

    RULE = "LAMB"
    STATE = ("exp_avg", "exp_avg_sq")
