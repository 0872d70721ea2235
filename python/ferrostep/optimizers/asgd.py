"""ASGD."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, upper_bound


class ASGD(Optimizer):
    """SGD whose learning rate falls, and the average of where it has been.

    At step ``t``::

        eta = lr/(1 + lambd*lr*(t - 1))**alpha
        mu = 1/max(1, t - 1 - t0)
        p = p*(1 - lambd*eta) - eta*g
        ax = ax + mu*(p - ax)

    So the average begins after step ``t0``; until then it is ``p``. It is never put into the
    parameters: it is what to evaluate with, ``opt.state[key]["ax"]``. As in torch ``eta`` and
    ``mu`` are made one step ahead: another `lr` acts from the step after the next on.

    For averages of any optimizer's weights, which are put into the parameters while a model is
    evaluated, see ``ferrostep.averages``.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-2, finite and >= 0.
    lambd
        How fast the rate falls, and a decay of the parameters; default 1e-4, finite and >= 0.
    alpha
        The power with which it falls; default 0.75, finite and >= 0.
    t0
        The step after which to average; default 1e6, >= 0, may be infinite.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    eta, mu
        The rate and the average's weight of the next step, floats.
    ax
        The average.

    References
    ----------
    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging", SIAM J. Control
    and Optimization 30(4).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.ASGD([p], lr=0.1, t0=1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4), opt.state[0]["ax"].round(4)
    (array([ 0.512, -1.024]), array([ 0.512, -1.024]))
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    lambd: NonNegative = 1e-4
    alpha: NonNegative = 0.75
    t0: Annotated[float, upper_bound] = 1e6

    RULE = "ASGD"
    STATE = ("ax",)
    MEMORY = ("eta", "mu")
