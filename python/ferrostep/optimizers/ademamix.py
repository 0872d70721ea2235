"""AdEMAMix."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, optional, positive, three_decay_rates


class AdEMAMix(Optimizer):
    """AdamW with a second average of gradients that remembers thousands of steps.

    With the gradient ``g`` at step ``t`` and ``b1, b2, b3 = betas``::

        m = b1*m + (1 - b1)*g
        w = b3*w + (1 - b3)*g
        v = b2*v + (1 - b2)*g**2
        p = p*(1 - lr*weight_decay)
        p = p - lr*(m/(1 - b1**t) + alpha*w)/(sqrt(v/(1 - b2**t)) + eps)

    With `t_alpha` the weight is ``min(t/t_alpha, 1)*alpha``. With `t_beta3` the half-life of ``w``
    grows linearly from that of ``b1`` to that of ``b3``: ``log(b3_t)`` is
    ``1/((1 - t/t_beta3)/log(b1) + (t/t_beta3)/log(b3))``. The paper's authors set both to the
    number of all steps.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of ``m``, ``v`` and ``w`` stays; default (0.9, 0.999, 0.9999), each in [0, 1).
    alpha
        The weight of the slow average; default 5.0, finite and >= 0.
    t_alpha
        For how many steps `alpha` grows; default None: it is constant. A number > 0.
    t_beta3
        For how many steps ``b3`` grows; default None: it is constant. A number > 0.
    eps
        Added to the root; default 1e-8, finite and >= 0.
    weight_decay
        Default 1e-2, finite and >= 0.
    decoupled_weight_decay
        Default True.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The fast average of gradients, ``m``. Starts at 0.
    exp_avg_slow
        The slow one, ``w``. Starts at 0.
    exp_avg_sq
        The average of squared gradients, ``v``. Starts at 0.

    References
    ----------
    Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, algorithm 1; names and defaults of
    bitsandbytes.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.AdEMAMix([p], lr=0.1, t_alpha=100, t_beta3=100)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.6985, -1.6945])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float, float], three_decay_rates] = (0.9, 0.999, 0.9999)
    alpha: NonNegative = 5.0
    t_alpha: Annotated[float | None, optional(positive)] = None
    t_beta3: Annotated[float | None, optional(positive)] = None
    eps: NonNegative = 1e-8
    weight_decay: float = 1e-2
    decoupled_weight_decay: bool = True

    RULE = "AdEMAMix"
    STATE = ("exp_avg", "exp_avg_slow", "exp_avg_sq")
