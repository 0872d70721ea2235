"""LARS."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.optimizer import Optimizer
from ferrostep.option import reads
from ferrostep.options import NonNegative, Rate, check_nesterov, finite


class LARS(Optimizer):
    """Momentum with a rate for each tensor, in proportion to its length beside its gradient's.

    With norms over the parameter, in the form of apex and timm::

        ratio = trust_coefficient*|p| / (|g| + weight_decay*|p| + eps)
        d = ratio*(g + weight_decay*p)
        buf = momentum*buf + (1 - dampening)*d
        p = p - lr*buf

    The ratio is 1 where a norm is 0, and the first ``buf`` is ``d``. With `nesterov`, ``d +
    momentum*buf`` takes the place of ``buf`` in the last line. The paper has the rate inside of the
    momentum, which is the same as long as `lr` is. timm's ``Lars`` has no ratio without weight
    decay unless it is told ``always_adapt=True``.

    The sums are over each parameter as a whole: gradients as `Rows` are refused.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1.0, finite and >= 0.
    momentum
        How much of ``buf`` stays; default 0.9, finite and >= 0.
    dampening
        How much of ``d`` is left out; default 0.0, finite.
    nesterov
        Default False; True needs a momentum and no dampening.
    trust_coefficient
        How far a step goes beside the parameter's length; default 1e-3, finite and >= 0.
    trust_clip
        Whether ``lr*ratio`` is at most `lr`, which is LARC; default False.
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    weight_decay
        Finite and >= 0. With ``decoupled_weight_decay=True`` the parameter is
        multiplied by ``1 - lr*weight_decay`` first, and the ratio does not know of it.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    momentum_buffer
        ``buf``.

    References
    ----------
    You, Gitman & Ginsburg 2017, arXiv:1708.03888; NVIDIA apex, LARC.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.LARS([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.9994, -1.9989])
    """

    lr: Rate = 1.0
    _: KW_ONLY
    momentum: NonNegative = 0.9
    dampening: Annotated[float, finite] = 0.0
    nesterov: bool = False
    trust_coefficient: NonNegative = 1e-3
    trust_clip: bool = False
    eps: NonNegative = 1e-8

    RULE = "LARS"
    STATE = ("momentum_buffer",)

    @classmethod
    @reads("momentum", "dampening", "nesterov")
    def check(cls, options: dict[str, Any]) -> None:
        check_nesterov(options)
