"""Adan."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, three_decay_rates


class Adan(Optimizer):
    """Nesterov's momentum without a look ahead: the change of the gradient is averaged, too.

    With the gradient ``g`` at step ``t``, that of the step before ``prev``, and
    ``b1, b2, b3 = betas``::

        d = g - prev, in the first step 0
        m = b1*m + (1 - b1)*g
        w = b2*w + (1 - b2)*d
        n = b3*n + (1 - b3)*(g + b2*d)**2
        u = (m/(1 - b1**t) + b2*w/(1 - b2**t)) / (sqrt(n/(1 - b3**t)) + eps)
        p = (p - lr*u)/(1 + lr*weight_decay)

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0. It can be 5 to 10 times Adam's.
    betas
        How much of ``m``, ``w`` and ``n`` stays; default (0.98, 0.92, 0.99), each in [0, 1). The
        paper writes one minus these.
    eps
        Added to the root; default 1e-8, finite and >= 0.
    no_prox
        Default False; True: weight decay before the step, ``p *= 1 - lr*weight_decay``, in place of
        the division after it.
    cautious
        Default False; True leaves out what would go against the gradient, and makes the rest as
        much longer (arXiv:2411.16085): ``u = u/share where u*g > 0, else 0``, where ``u`` is what
        is subtracted from the parameter, and the share is 0.001 at the least. It is taken over the
        parameter as a whole: then gradients as `Rows` are refused.
    decoupled_weight_decay
        Default True, as above; False: weight decay is added to the gradient.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``. Starts at 0.
    exp_avg_diff
        The average of their changes, ``w``. Starts at 0.
    exp_avg_sq
        The average of squares, ``n``. Starts at 0.
    prev
        The gradient of the step before.

    References
    ----------
    Xie, Zhou, Li, Lin & Yan 2022, arXiv:2208.06677, algorithm 1, with the authors' code's
    corrections of bias and order of decay.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adan([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7021, -1.7006])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float, float], three_decay_rates] = (0.98, 0.92, 0.99)
    eps: NonNegative = 1e-8
    no_prox: bool = False
    cautious: bool = False
    decoupled_weight_decay: bool = True

    RULE = "Adan"
    STATE = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "prev")
