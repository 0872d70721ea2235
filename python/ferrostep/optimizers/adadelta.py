"""AdaDelta."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, non_negative, number


class Adadelta(Optimizer):
    """RMSProp's relative that finds its own unit: a ratio of averages replaces the learning rate.

    With the gradient ``g``::

        r = rho*r + (1 - rho)*g**2
        d = sqrt(a + eps)/sqrt(r + eps) * g
        a = rho*a + (1 - rho)*d**2
        p = p - lr*d

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 1.0, finite and >= 0.
    rho
        How much of the averages stays; default 0.9, in [0, 1].
    eps
        Keeps the divisor from 0; default 1e-6, finite and >= 0.
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
    square_avg
        The average of squared gradients, ``r``.
    acc_delta
        The average of squared updates, ``a``.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Zeiler 2012, arXiv:1212.5701.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adadelta([p])
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.9903, -1.9903])
    """

    RULE = "Adadelta"
    lr = Option(non_negative)
    rho = Option(number(0, 1, upper_open=False))
    eps = Option(non_negative)
    STATE = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Any = None,
        lr: float = 1.0,
        *,
        rho: float = 0.9,
        eps: float = 1e-6,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
        }
        super().__init__(params, options, common)
