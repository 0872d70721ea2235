"""AdamW."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizers.adam import Adam
from ferrostep.options import CommonOptions


class AdamW(Adam):
    """Adam with weight decay that does not pass through the averages.

    With `Adam`'s ``m`` and ``v``::

        p = p*(1 - lr*weight_decay)
        p = p - lr/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, bias_correction, epsilon_hat
        As for `Adam`, with the same defaults and bounds.
    weight_decay
        Default 1e-2, finite and >= 0.
    decoupled_weight_decay
        Default True.
    **common
        What every class takes, as for `Adam`.

    State
    -----
    As for `Adam`: exp_avg, exp_avg_sq, and max_exp_avg_sq with `amsgrad`.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.AdamW([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.6989, -1.6949])
    """

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
        common.setdefault("weight_decay", 1e-2)
        common.setdefault("decoupled_weight_decay", True)
        super().__init__(
            params,
            lr,
            betas=betas,
            eps=eps,
            amsgrad=amsgrad,
            bias_correction=bias_correction,
            epsilon_hat=epsilon_hat,
            **common,
        )
