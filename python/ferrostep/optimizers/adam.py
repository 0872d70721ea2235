"""Adam."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates


class Adam(Optimizer):
    """Momentum times RMSProp, bias-corrected: works well out of the box.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        v = b2*v + (1 - b2)*g**2
        p = p - lr/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)

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
    amsgrad
        Divide by the greatest average so far; default False.
    bias_correction
        Correct the averages for their start at 0; default True. False is the first form of the
        lecture.
    epsilon_hat
        Correct before eps is added (Keras, scikit-learn): ``lr*sqrt(1 - b2**t)/(1 - b1**t) *
        m/(sqrt(v) + eps)``; default False.
    cautious
        Default False; True leaves out what would go against the gradient, and makes the rest as
        much longer (arXiv:2411.16085): ``u = u/share where u*g > 0, else 0``, where ``u`` is what
        is subtracted from the parameter, and the share is 0.001 at the least. It is taken over the
        parameter as a whole: then gradients as `Rows` are refused.
    initial_accumulator_value
        What ``v`` starts with; default 0.0, finite and >= 0. Federated Adam has ``tau**2`` here,
        ``eps=tau`` and ``bias_correction=False``: the correction is for a start at 0, and would
        divide this by ``1 - b2**t``, too.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`. ``state_dtype="float16"`` needs an `eps` of
        about 1e-4: a ``v`` below 3e-8 is stored as 0, and training diverges at the default.

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``. Starts at `initial_accumulator_value`.
    max_exp_avg_sq
        With `amsgrad`, its greatest value after a step; starts at 0.

    References
    ----------
    Kingma & Ba 2014, arXiv:1412.6980; Reddi, Kale & Kumar 2018, arXiv:1904.09237 (AMSGrad);
    Reddi, Charles, Zaheer et al. 2020, arXiv:2003.00295, algorithm 2 (federated Adam).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adam([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7016, -1.7006])
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    amsgrad: bool = False
    bias_correction: bool = True
    epsilon_hat: bool = False
    cautious: bool = False
    initial_accumulator_value: NonNegative = 0.0

    RULE = "Adam"
    STATE = ("exp_avg", "exp_avg_sq")
    OPTIONAL_STATE = ("max_exp_avg_sq",)
