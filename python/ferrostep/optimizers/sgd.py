"""SGD with torch's momentum."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option, reads
from ferrostep.options import CommonOptions, finite, flag, non_negative


class SGD(Optimizer):
    """Stochastic gradient descent with torch's momentum: the rate stays outside the buffer.

    With the gradient ``g``::

        buf = momentum*buf + (1 - dampening)*g      (at its first use, buf = g)
        p   = p - lr*buf,  or with Nesterov  p - lr*(g + momentum*buf)

    Without momentum, ``p = p - lr*g``. `Momentum` is the form with the rate inside.

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 1e-3, finite and >= 0.
    momentum
        Momentum factor; default 0.0, finite and >= 0.
    dampening
        Takes from the gradient what enters the buffer; default 0.0, finite.
    nesterov
        Look ahead; default False, needs momentum and no dampening.
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
    momentum_buffer
        When `momentum` is not 0; starts as the first gradient itself.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Polyak 1964; Sutskever, Martens, Dahl & Hinton 2013; torch.optim.SGD.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.SGD([p], lr=0.1, momentum=0.9)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.062, -0.124])
    """

    RULE = "SGD"
    lr = Option(non_negative)
    momentum = Option(non_negative)
    dampening = Option(finite)
    nesterov = Option(flag)
    OPTIONAL_STATE = ("momentum_buffer",)

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "nesterov": nesterov,
        }
        super().__init__(params, options, common)

    @classmethod
    @reads("momentum", "dampening", "nesterov")
    def check(cls, options: dict[str, Any]) -> None:
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
