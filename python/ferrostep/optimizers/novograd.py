"""NovoGrad."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class NovoGrad(Optimizer):
    """Momentum of gradients that are divided by a norm of their tensor: `Adam` with one ``v``.

    With ``b1, b2 = betas`` and the norm over the parameter::

        v = b2*v + (1 - b2)*|g|**2
        m = b1*m + (g/(sqrt(v) + eps) + weight_decay*p)
        p = p - lr*m

    The first ``v`` is ``|g|**2``, and the first ``m`` what is added to it.

    The sums are over each parameter as a whole: gradients as `Rows` are refused. ``v`` is a number
    on the host: a step of CuPy arrays waits for their sums.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of ``m`` and ``v`` stays; default (0.9, 0.25), as optax, each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-6, finite and >= 0.
    weight_decay
        Finite and >= 0. With ``decoupled_weight_decay=True`` the parameter is
        multiplied by ``1 - lr*weight_decay`` first.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg_sq
        The average of squared norms, ``v``, a float.
    exp_avg
        The momentum, ``m``.

    References
    ----------
    Ginsburg, Castonguay, Hrinchuk et al. 2019, arXiv:1905.11286, algorithm 1.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.NovoGrad([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7514, -1.5027])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.25)
    eps: NonNegative = 1e-6

    RULE = "NovoGrad"
    STATE = ("exp_avg",)
    MEMORY = ("exp_avg_sq",)
