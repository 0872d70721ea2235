"""Adam."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, decay_rates, flag, non_negative


class Adam(Optimizer):
    """Momentum times RMSProp, bias-corrected: works well out of the box.

    With the gradient ``g`` at step ``t``, ``b1, b2 = betas``::

        m = b1*m + (1 - b1)*g
        v = b2*v + (1 - b2)*g**2
        p = p - lr/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
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
    **common
        What every class takes: `weight_decay` (default 0.0; >= 0, added to the gradient as
        ``g + weight_decay*p``), `decoupled_weight_decay` (False; True: ``p *= 1 -
        lr*weight_decay`` instead), `maximize` (False), `flush_subnormals` (False; True: subnormal
        state is stored as 0), `state_dtype` (None: float64 for float64 parameters, else float32;
        "float16" or "bfloat16": half the memory and traffic; float16 needs an `eps` of about 1e-4,
        since a ``v`` below 3e-8 is stored as 0 and training diverges at the default),
        `nonfinite` ("propagate"; "raise" or "skip"), `backend` (None: the Rust core for NumPy
        arrays; "reference": the formulas in NumPy).

    State
    -----
    exp_avg
        The average of gradients, ``m``.
    exp_avg_sq
        The average of squared gradients, ``v``.
    max_exp_avg_sq
        With `amsgrad`, its greatest value.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Kingma & Ba 2014, arXiv:1412.6980; Reddi, Kale & Kumar 2018, arXiv:1904.09237 (AMSGrad).

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

    RULE = "Adam"
    lr = Option(non_negative)
    betas = Option(decay_rates)
    eps = Option(non_negative)
    amsgrad = Option(flag)
    bias_correction = Option(flag)
    epsilon_hat = Option(flag)
    STATE = ("exp_avg", "exp_avg_sq")
    OPTIONAL_STATE = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
        bias_correction: bool = True,
        epsilon_hat: bool = False,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "amsgrad": amsgrad,
            "bias_correction": bias_correction,
            "epsilon_hat": epsilon_hat,
        }
        super().__init__(params, options, common)
