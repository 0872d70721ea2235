"""Adaptive local gains (delta-bar-delta and its family)."""

from __future__ import annotations

from typing import Any, Unpack

from ferrostep.optimizer import Optimizer
from ferrostep.option import Option, reads
from ferrostep.options import CommonOptions, choice, non_negative, number


class AdaptiveGains(Optimizer):
    """A gain per weight: it grows gently while the sign stays, and shrinks when it turns.

    With the gradient ``g``, the previous one ``prev``::

        gain = gain + beta        where g and prev have the same strict sign
        gain = gain*(1 - beta)    where they have opposite strict signs
        gain = clamp(gain, min_gain, max_gain)
        p    = p - lr*(gain*g),   or with momentum  v = momentum*v - lr*(gain*g);  p = p + v

    With ``compare="velocity"``, t-SNE's form, the gain grows where ``v`` and ``g`` have
    opposite strict signs and shrinks everywhere else.

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a
        dict of names, or param groups; None for an unbound optimizer (`update`).
    lr
        Learning rate; default 0.01, finite and >= 0.
    beta
        How fast gains change; default 0.05, in [0, 1).
    min_gain
        Least gain; default 0.01, finite and >= 0.
    max_gain
        Greatest gain; default 100.0, >= `min_gain`, may be infinite.
    momentum
        How much of the velocity stays; default 0.0, finite and >= 0.
    compare
        What the gradient is compared with: "gradient" (the previous one, default) or
        "velocity", which needs momentum.
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
    gain
        Starts at 1.
    prev
        The previous gradient, with ``compare="gradient"``.
    velocity
        When `momentum` is not 0.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    References
    ----------
    Jacobs 1988 (delta-bar-delta); Hinton, lecture 6; van der Maaten & Hinton 2008 (t-SNE).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.AdaptiveGains([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.493 , -0.9859])
    """

    RULE = "AdaptiveGains"
    lr = Option(non_negative)
    beta = Option(number(0, 1))
    min_gain = Option(non_negative)
    max_gain = Option(number(0, upper_open=False))
    momentum = Option(non_negative)
    compare = Option(choice("gradient", "velocity"))
    STATE = ("gain",)
    OPTIONAL_STATE = ("prev", "velocity")

    def __init__(
        self,
        params: Any = None,
        lr: float = 0.01,
        *,
        beta: float = 0.05,
        min_gain: float = 0.01,
        max_gain: float = 100.0,
        momentum: float = 0.0,
        compare: str = "gradient",
        **common: Unpack[CommonOptions],
    ) -> None:
        options: dict[str, Any] = {
            "lr": lr,
            "beta": beta,
            "min_gain": min_gain,
            "max_gain": max_gain,
            "momentum": momentum,
            "compare": compare,
        }
        super().__init__(params, options, common)

    @classmethod
    @reads("min_gain", "max_gain", "compare", "momentum")
    def check(cls, options: dict[str, Any]) -> None:
        if options["min_gain"] > options["max_gain"]:
            raise ValueError(
                f"Invalid min_gain value: {options['min_gain']!r} "
                f"(min_gain must not be above max_gain, {options['max_gain']!r})"
            )
        if options["compare"] == "velocity" and options["momentum"] == 0:
            raise ValueError('compare="velocity" needs a velocity: momentum must not be 0')
