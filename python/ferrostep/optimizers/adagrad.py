"""Adagrad."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option
from ferrostep.options import CommonOptions, flag, non_negative


class Adagrad(Optimizer):
    """Learning rates that shrink with the sum of squared gradients: for sparse features.

    With the gradient ``g`` at step ``t``::

        s = s + g**2
        p = p - lr/(1 + (t - 1)*lr_decay) * g/(sqrt(s) + eps)

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 1e-2, finite and >= 0.
    lr_decay
        Decay of the learning rate; default 0.0, finite and >= 0.
    eps
        Keeps the divisor from 0; default 1e-10, finite and >= 0.
    initial_accumulator_value
        What the accumulator starts with; default 0.0, finite and >= 0.
    eps_inside_sqrt
        Add eps under the root instead of to it (Keras, optax); default False.
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
    sum
        Starts at `initial_accumulator_value`.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Duchi, Hazan & Singer 2011, JMLR 12.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Adagrad([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.7805, -1.7758])
    """

    RULE = "Adagrad"
    lr = Option(non_negative)
    lr_decay = Option(non_negative)
    eps = Option(non_negative)
    initial_accumulator_value = Option(non_negative)
    eps_inside_sqrt = Option(flag)
    STATE = ("sum",)

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        *,
        lr_decay: float = 0.0,
        eps: float = 1e-10,
        initial_accumulator_value: float = 0.0,
        eps_inside_sqrt: bool = False,
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "initial_accumulator_value": initial_accumulator_value,
            "eps_inside_sqrt": eps_inside_sqrt,
        }
        super().__init__(params, options, common)
