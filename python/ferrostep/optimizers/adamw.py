"""AdamW."""

from __future__ import annotations

from dataclasses import KW_ONLY

from ferrostep.optimizers.adam import Adam


class AdamW(Adam):
    """Adam with weight decay that does not pass through the averages.

    With `Adam`'s ``m`` and ``v``::

        p = p*(1 - lr*weight_decay)
        p = p - lr/(1 - b1**t) * m/(sqrt(v)/sqrt(1 - b2**t) + eps)

    Parameters
    ----------
    lr, betas, eps, amsgrad, bias_correction, epsilon_hat, cautious, initial_accumulator_value
        As for `Adam`, with the same defaults and bounds.
    weight_decay
        Default 1e-2, finite and >= 0.
    decoupled_weight_decay
        Default True.
    params, maximize, state_dtype, ...
        What every class takes: see `Optimizer`.

    State
    -----
    As for `Adam`: exp_avg, exp_avg_sq, and max_exp_avg_sq with `amsgrad`.

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

    _: KW_ONLY
    weight_decay: float = 1e-2
    decoupled_weight_decay: bool = True
