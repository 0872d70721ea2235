"""Prodigy."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import NonNegative, Rate, decay_rates, number, optional, positive


class Prodigy(Optimizer):
    """`Adam` that learns its step size: leave ``lr`` at 1, and schedule it as a factor.

    With ``b1, b2 = betas``, ``b3 = beta3`` and ``rate = d*lr``, times ``sqrt(1 - b2**t)/(1 -
    b1**t)`` with `bias_correction`::

        N = b3*N + sum of (d/d0)*rate*g*(p0 - p) over all parameters
        m = b1*m + (1 - b1)*d*g
        v = b2*v + (1 - b2)*(d*g)**2
        s = b3*s + (d/d0)*rate*g
        found = d_coef*N / sum of |s| over all parameters
        d = min(largest found, d*growth_rate)
        p = p*(1 - rate*weight_decay) - rate*m/(sqrt(v) + d*eps)

    where ``p0`` is what the parameter was in its first step, and ``rate`` is of the old ``d``. As
    long as ``d`` is `d0`, it becomes what is found before it grows. Where all gradients are 0, or
    one is not finite, nothing is found and ``d`` stays.

    ``d`` is of the model: a step takes the sums over all parameters that have a gradient before it
    changes any, and all parameters remember it. One that comes later begins with it. Groups may
    differ in their options: each then has the ``d`` that they make of the same sums. So parameters
    come together: `update_one` and `Rows` are refused. A step of CuPy arrays waits for their sums.

    The authors' ``prodigyopt`` has the same numbers, but that it takes ``d`` from the first group's
    options; counts the steps of `bias_correction` for the model, where here each parameter counts
    its own; leaves out a step that finds nothing, which here decays weights as any; and with ``b1 =
    0`` has the new ``d`` in ``m``. Its ``slice_p`` is left out.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Multiplies the step size; default 1.0, finite and >= 0.
    betas
        How much of the averages of d*g and (d*g)**2 stays; default (0.9, 0.999), each in [0, 1).
    beta3
        How much of ``N`` and ``s`` stays; default None, the root of ``b2``; in [0, 1).
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    d0
        The first ``d``, below what can be right; default 1e-6, finite and > 0.
    d_coef
        Multiplies what is found; default 1.0, finite and > 0. To tune by, 0.5 or 2 for instance.
    growth_rate
        How much ``d`` may grow in a step; default inf, >= 1. 1.02 is a warm-up of a kind.
    bias_correction
        Default False; see above.
    safeguard_warmup
        Default False; True: ``s = b3*s + (d/d0)*d*g``, so that small rates of a warm-up do not
        make ``d`` too large.
    decoupled_weight_decay
        Default True: as above; False: ``weight_decay*p`` is added to the gradient.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`. In 16 bits ``p0`` is not where the parameter
        began, but near it: ``d`` is then learnt from what is farther away. Float16 state is too
        narrow for ``s``, which grows with ``1/d0``. Of 16-bit *parameters* a step of `d0` may be
        rounded away, and then ``d`` never grows: give a `d0` of 1e-3 or more.

    State
    -----
    d, d_max, numerator
        The step size, the largest that was found, and ``N``, floats.
    exp_avg, exp_avg_sq
        The averages ``m`` and ``v``.
    s
        The weighted sum of gradients.
    p0
        The parameter in its first step. Starts at NaN.

    References
    ----------
    Mishchenko & Defazio 2023, arXiv:2306.06101, algorithm 4.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Prodigy([p])
    >>> for _ in range(30):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([-0.3831,  0.167 ])
    """

    lr: Rate = 1.0
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    beta3: Annotated[float | None, optional(number(0, 1))] = None
    eps: NonNegative = 1e-8
    d0: Annotated[float, positive] = 1e-6
    d_coef: Annotated[float, positive] = 1.0
    growth_rate: Annotated[float, number(1, upper_open=False)] = float("inf")
    bias_correction: bool = False
    safeguard_warmup: bool = False
    decoupled_weight_decay: bool = True

    RULE = "Prodigy"
    STATE = ("exp_avg", "exp_avg_sq", "s", "p0")
    MEMORY = ("d", "d_max", "numerator")
    WHOLE_MODEL = True
