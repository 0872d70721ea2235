"""Adafactor."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from ferrostep.optimizer import Optimizer
from ferrostep.options import Rate, floors, not_positive, positive
from ferrostep.typing import Form


class Adafactor(Optimizer):
    """Adam's division by a root of squares, with a row and a column for each matrix of state.

    With the gradient ``g`` of a matrix, ``c = t**beta2_decay`` and ``eps1, eps2 = eps``::

        R = (1 - c)*R + c*mean(g*g), along each row
        C = (1 - c)*C + c*mean(g*g), along each column
        v = R/max(mean(R), eps1) * C
        u = g/sqrt(max(v, eps1**2))
        rate = max(eps2, RMS(p)) * min(lr, 1/sqrt(t))
        p = p*(1 - lr*weight_decay) - rate/max(1, RMS(u)/d) * u

    where RMS is the root of the mean of all squares, and that of ``p`` is taken before its decay. A
    parameter of more than two dimensions is a stack of matrices, its last two. One of fewer keeps
    ``v = (1 - c)*v + c*(g*g)`` as it is. The state of ``n`` by ``m`` numbers is ``n + m`` numbers.

    This is torch's ``Adafactor``, but for an ``eps1`` that is None: there it becomes that of the
    group's first parameter and serves all of them; here each has that of its own dtype. torch
    divides ``R*C`` by the mean, here ``R`` is divided first, so that the product does not overflow.
    With ``form="original"`` it is the one of the paper, which the other libraries have: ``g*g +
    eps1`` in place of ``g*g``, and nothing that ``v`` or the mean is at least. Of transformers'
    options ``beta1`` is left out (take `AdamW`), and ``warmup_init``: it is ``lr=1e-6`` with the
    scheduler ``LambdaLR(opt, lambda t: t + 1)``.

    The sums are over each parameter as a whole: gradients as `Rows` are refused.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate, at most; default 1e-2, finite and >= 0.
    beta2_decay
        The exponent of the averages' decay; default -0.8, finite and <= 0.
    eps
        ``(eps1, eps2)``; default (None, 1e-3), each finite and >= 0. None is the dtype's
        ``finfo.eps``, in the original form 1e-30.
    d
        How large the root mean square of ``u`` may be; default 1.0, finite and > 0.
    form
        ``"torch"`` or ``"original"``; default "torch".
    relative_step
        Whether the rate is ``1/sqrt(t)`` at most; default True.
    scale_parameter
        Whether the rate is multiplied by ``max(eps2, RMS(p))``; default True.
    decoupled_weight_decay
        Default True; False: ``weight_decay*p`` is added to the gradient instead.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`. Float16 state ends at squares of 65504: the
        step is NaN beyond; take bfloat16.

    State
    -----
    row_var
        The factor of rows, ``R``, of shape ``(..., n, 1)``. Starts at 0.
    col_var
        The factor of columns, ``C``, of shape ``(..., 1, m)``. Starts at 0.
    variance
        ``v``, of a parameter with fewer than two dimensions, which has no others. Starts at 0.

    References
    ----------
    Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> w = np.array([[1.0, -2.0], [0.5, 4.0]])
    >>> opt = fs.Adafactor([w], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * w])  # the gradient of w**2
    >>> w.round(4)
    array([[ 0.1403, -1.4594],
           [ 0.2116,  3.4015]])
    >>> {name: x.shape for name, x in opt.state[0].items() if name != "step"}
    {'row_var': (2, 1), 'col_var': (1, 2)}
    """

    lr: Rate = 1e-2
    _: KW_ONLY
    beta2_decay: Annotated[float, not_positive] = -0.8
    eps: Annotated[tuple[float | None, float], floors] = (None, 1e-3)
    d: Annotated[float, positive] = 1.0
    form: Form = "torch"
    relative_step: bool = True
    scale_parameter: bool = True
    decoupled_weight_decay: bool = True

    RULE = "Adafactor"
    STATE = ("variance",)
    FACTORS = ("row_var", "col_var")
