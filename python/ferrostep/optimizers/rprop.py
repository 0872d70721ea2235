"""Rprop (torch's iRprop-)."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, ordered, shrink_and_grow


class Rprop(Optimizer):
    """Resilient propagation for full batches: only the sign of the gradient counts.

    With the gradient ``g`` and a step size per weight::

        step = step*etas[1]   where g and prev have the same strict sign
        step = step*etas[0]   where they have opposite strict signs; there g counts as 0
        step = clamp(step, *step_sizes)
        p    = p - sign(g)*step;   prev = g

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        The first step size; default 1e-2, finite and >= 0.
    etas
        Factors that shrink and grow a step size; default (0.5, 1.2), 0 < etas[0] < 1 < etas[1].
    step_sizes
        Least and greatest step size; default (1e-6, 50.0), 0 <= least <= greatest.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    prev
        The previous gradient, 0 where it turned.
    step_size
        Starts at the learning rate in force at the first step.

    References
    ----------
    Riedmiller & Braun 1993; Igel & Huesken 2000; torch.optim.Rprop.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Rprop([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.636, -1.636])
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    etas: Annotated[tuple[float, float], shrink_and_grow] = (0.5, 1.2)
    step_sizes: Annotated[tuple[float, float], ordered] = (1e-6, 50.0)

    RULE = "Rprop"
    STATE = ("prev", "step_size")
