"""Momentum with the learning rate inside the velocity."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, flag, non_negative


class Momentum(Optimizer):
    """Gradient descent with a velocity that dampens oscillation and carries over flat regions.

    With the gradient ``g``::

        v = momentum*v - lr*g
        p = p + v,  or with Nesterov  p + (momentum*v - lr*g)

    The form of the lecture, of Keras and of scikit-learn; it differs from `SGD` once the
    learning rate changes.

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 0.01, finite and >= 0.
    momentum
        How much of the velocity stays; default 0.9, finite and >= 0.
    nesterov
        Look ahead; default False.
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
    velocity
        Starts at 0.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013; the lecture, "Momentum".

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Momentum([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.062, -0.124])
    """

    RULE = "Momentum"
    lr = Option(non_negative)
    momentum = Option(non_negative)
    nesterov = Option(flag)
    STATE = ("velocity",)

    def __init__(
        self,
        params: Any = None,
        lr: float = 0.01,
        *,
        momentum: float = 0.9,
        nesterov: bool = False,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
        }
        super().__init__(params, options, common)
