"""RMSProp."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, flag, non_negative, number


class RMSprop(Optimizer):
    """Divides the learning rate by a moving average of the gradient's magnitude.

    With the gradient ``g``::

        r = alpha*r + (1 - alpha)*g**2
        p = p - lr*g/(sqrt(r) + eps)

    Centered, the root is of ``r - a**2`` with ``a = alpha*a + (1 - alpha)*g``, never below 0.
    With momentum ``b = momentum*b + g/(sqrt(.) + eps)`` and ``p = p - lr*b``.

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 1e-2, finite and >= 0.
    alpha
        How much of the average stays; default 0.99, in [0, 1].
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    momentum
        Momentum factor of the scaled gradient; default 0.0, finite and >= 0.
    centered
        Subtract the square of the mean gradient; default False.
    eps_inside_sqrt
        Add eps under the root instead of to it (Keras, optax); default False.
    initial_accumulator_value
        What the accumulator starts with; default 0.0, finite and >= 0.
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
        Starts at `initial_accumulator_value`.
    grad_avg
        When centered.
    momentum_buffer
        When `momentum` is not 0.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Hinton, Neural Networks for Machine Learning, lecture 6e (2012); Graves 2013, arXiv:1308.0850
    (centered).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.RMSprop([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.    , -0.3097])
    """

    RULE = "RMSprop"
    lr = Option(non_negative)
    alpha = Option(number(0, 1, upper_open=False))
    eps = Option(non_negative)
    momentum = Option(non_negative)
    centered = Option(flag)
    eps_inside_sqrt = Option(flag)
    initial_accumulator_value = Option(non_negative)
    STATE = ("square_avg",)
    OPTIONAL_STATE = ("grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        eps_inside_sqrt: bool = False,
        initial_accumulator_value: float = 0.0,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "momentum": momentum,
            "centered": centered,
            "eps_inside_sqrt": eps_inside_sqrt,
            "initial_accumulator_value": initial_accumulator_value,
        }
        super().__init__(params, options, common)
