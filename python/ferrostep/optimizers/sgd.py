"""SGD with torch's momentum."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.optimizer import Optimizer
from ferrostep.option import reads
from ferrostep.options import NonNegative, Rate, check_nesterov, finite


class SGD(Optimizer):
    """Stochastic gradient descent with torch's momentum: the rate stays outside the buffer.

    With the gradient ``g``::

        buf = momentum*buf + (1 - dampening)*g      (at its first use, buf = g)
        p   = p - lr*buf,  or with Nesterov  p - lr*(g + momentum*buf)

    Without momentum, ``p = p - lr*g``. `Momentum` is the form with the rate inside. With `average`,
    the buffer is an average of gradients from 0 on::

        buf = momentum*buf + (1 - momentum)*g
        p   = p - lr*buf

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    momentum
        Momentum factor; default 0.0, finite and >= 0.
    dampening
        Takes from the gradient what enters the buffer; default 0.0, finite. As in torch, the first
        gradient enters whole: ``dampening=momentum`` is an average whose first step is 1/(1 -
        momentum) times too large, and `average` is the one without that.
    nesterov
        Look ahead; default False, needs momentum and no dampening.
    average
        Momentum as an average of gradients; default False, needs a momentum in (0, 1), no dampening
        and no Nesterov. torch lacks it.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    momentum_buffer
        When `momentum` is not 0; starts as the first gradient itself, with `average` at 0.

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

    lr: Rate = 1e-3
    _: KW_ONLY
    momentum: NonNegative = 0.0
    dampening: Annotated[float, finite] = 0.0
    nesterov: bool = False
    average: bool = False

    RULE = "SGD"
    OPTIONAL_STATE = ("momentum_buffer",)

    @classmethod
    @reads("momentum", "dampening", "nesterov", "average")
    def check(cls, options: dict[str, Any]) -> None:
        check_nesterov(options)
        if not options["average"]:
            return
        if not 0 < options["momentum"] < 1:
            raise ValueError(
                "momentum must be in (0, 1) with average=True, "
                f"found {options['momentum']!r}; it is how much of the average stays"
            )
        if options["dampening"] != 0:
            raise ValueError(
                "dampening must be 0 with average=True, "
                f"found {options['dampening']!r}; an average dampens every gradient by momentum"
            )
        if options["nesterov"]:
            raise ValueError(
                "nesterov must be False with average=True, found True; its step g + momentum*buf "
                "is for a sum of gradients: take lr*(1 - momentum) without average"
            )
