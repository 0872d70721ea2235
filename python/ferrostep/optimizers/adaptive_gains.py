"""Adaptive local gains (delta-bar-delta and its family)."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.optimizer import Optimizer
from ferrostep.option import reads
from ferrostep.options import NonNegative, Rate, number
from ferrostep.typing import Compare


class AdaptiveGains(Optimizer):
    """A gain per weight: it grows gently while the sign stays, and shrinks when it turns.

    With the gradient ``g``, the previous one ``prev``::

        gain = gain + beta        where g and prev have the same strict sign
        gain = gain*(1 - beta)    where they have opposite strict signs
        gain = clamp(gain, min_gain, max_gain)
        p    = p - lr*(gain*g),   or with momentum  v = momentum*v - lr*(gain*g);  p = p + v

    The forms of t-SNE compare ``g`` with ``v``. With ``compare="velocity"`` the gain grows where
    they have opposite strict signs, with ``compare="sign"`` where ``sign(v) != sign(g)``, of which
    0 is one; it shrinks everywhere else. They differ where one of the two is 0, as ``v`` is at
    first: "velocity" (scikit-learn) begins by shrinking, "sign" (van der Maaten's C++, TriMap) by
    growing.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
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
        What the gradient is compared with: "gradient" (the previous one, default), or the
        velocity, which needs momentum: "velocity" or "sign", see above.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    State
    -----
    gain
        Starts at 1.
    prev
        The previous gradient, with ``compare="gradient"``.
    velocity
        When `momentum` is not 0.

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

    lr: Rate = 0.01
    _: KW_ONLY
    beta: Annotated[float, number(0, 1)] = 0.05
    min_gain: NonNegative = 0.01
    max_gain: Annotated[float, number(0, upper_open=False)] = 100.0
    momentum: NonNegative = 0.0
    compare: Compare = "gradient"

    RULE = "AdaptiveGains"
    STATE = ("gain",)
    OPTIONAL_STATE = ("prev", "velocity")

    @classmethod
    @reads("min_gain", "max_gain", "compare", "momentum")
    def check(cls, options: dict[str, Any]) -> None:
        if options["min_gain"] > options["max_gain"]:
            raise ValueError(
                f"Invalid min_gain value: {options['min_gain']!r} "
                f"(min_gain must not be above max_gain, {options['max_gain']!r})"
            )
        if options["compare"] != "gradient" and options["momentum"] == 0:
            raise ValueError(
                f'momentum must not be 0 with compare="{options["compare"]}", '
                f"found {options['momentum']!r}"
            )
