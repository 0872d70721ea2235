"""SparseAdam."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, ClassVar

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Number, Rate, decay_rates

none = Number(0.0, 0.0, "zero; Adam with Rows decays the rows that a step touches")


class SparseAdam(Optimizer):
    """Adam of the rows that a step uses, for tables of which it uses few; torch's.

    With the gradient ``g`` of those rows at step ``t`` of their table, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        v = b2*v + (1 - b2)*g**2
        p = p - lr*sqrt(1 - b2**t)/(1 - b1**t) * m/(sqrt(v) + eps)

    Other rows keep their values, and their averages do not decay. Gradients are `Rows`, whose
    values of one row are added up first; a whole gradient is an error, since it would touch all.
    Every other optimizer takes `Rows`, too: this one has torch's numbers, and no weight decay.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    betas
        How much of the averages of g and g**2 stays; default (0.9, 0.999), each in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    weight_decay
        None but 0: it would hang on how often a row is used.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    exp_avg
        The average of gradients, ``m``; starts at 0.
    exp_avg_sq
        The average of squared gradients, ``v``; starts at 0.

    Raises
    ------
    TypeError
        By `step`, if a gradient is an array.
    ValueError
        If `weight_decay` is not 0.

    References
    ----------
    torch.optim.SparseAdam; Kingma & Ba 2014, arXiv:1412.6980, end of section 2.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> table = np.ones((4, 2))
    >>> opt = fs.SparseAdam([table], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([fs.Rows([2, 0], 2 * table[[2, 0]])])  # the gradient of p**2
    >>> table.round(4)
    array([[0.7016, 0.7016],
           [1.    , 1.    ],
           [0.7016, 0.7016],
           [1.    , 1.    ]])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: Annotated[float, none] = 0.0

    RULE = "SparseAdam"
    STATE = ("exp_avg", "exp_avg_sq")
    ROWS_ONLY: ClassVar[bool] = True
