"""Rprop (torch's iRprop-)."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, non_negative, ordered, shrink_and_grow


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
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        The first step size; default 1e-2, finite and >= 0.
    etas
        Factors that shrink and grow a step size; default (0.5, 1.2), 0 < etas[0] < 1 < etas[1].
    step_sizes
        Least and greatest step size; default (1e-6, 50.0), 0 <= least <= greatest.
    **common
        What every class takes: `weight_decay` (default 0.0; >= 0, added to the gradient as
        ``g + weight_decay*p``), `decoupled_weight_decay` (False; True: ``p *= 1 -
        lr*weight_decay`` instead), `maximize` (False), `flush_subnormals` (False; True: subnormal
        state is stored as 0), `state_dtype` (None: float64 for float64 parameters, else float32;
        "float16" or "bfloat16": half the memory and traffic), `nonfinite` ("propagate"; "raise" or
        "skip"), `backend` (None: the Rust core for NumPy arrays; "reference": the formulas in
        NumPy).

    State
    -----
    prev
        The previous gradient, 0 where it turned.
    step_size
        Starts at the learning rate in force at the first step.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

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

    RULE = "Rprop"
    lr = Option(non_negative)
    etas = Option(shrink_and_grow)
    step_sizes = Option(ordered)
    STATE = ("prev", "step_size")

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        *,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
        }
        super().__init__(params, options, common)
