"""Schedule-free AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.evaluated import ScheduleFree
from ferrostep.option import reads
from ferrostep.options import NonNegative, Rate, decay_rates


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW that averages instead of lowering its learning rate.

    As `ScheduleFreeSGD`, with ``b1`` as its momentum, but for::

        v = b2*v + (1 - b2)*g**2
        n = g/(sqrt(v/(1 - b2**t)) + eps) + weight_decay*y

    **Who saves or evaluates a model without ``opt.eval()`` has y**, which is worse.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 2.5e-3, finite and >= 0.
    betas
        How much of ``y`` is the average, and how much of that of g**2 stays; default (0.9, 0.999),
        each in [0, 1), the first not 0 and not to be changed, as the momentum there.
    eps
        Keeps the divisor from 0; default 1e-8, finite and >= 0.
    warmup_steps
        Over how many steps the rate rises to `lr`; default 0, finite and >= 0.
    r
        The power of ``t`` with which later points weigh more; default 0, finite and >= 0.
    weight_lr_power
        The power of the largest rate so far in a point's weight; default 2, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`.
    decoupled_weight_decay
        Default True: as above; False adds the decay to the gradient before ``v``.

    State
    -----
    weight_sum, lr_max, averaged
        As for `ScheduleFreeSGD`, floats.
    z
        Where AdamW's steps have led. It begins as the parameter; NaN before the first step.
    exp_avg_sq
        The average of squared gradients, ``v``.

    References
    ----------
    Defazio, Yang, Khaled, Mishchenko, Mehta & Cutkosky 2024, "The Road Less Scheduled",
    arXiv:2405.15682; defaults and weights of their package schedulefree.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.ScheduleFreeAdamW([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> opt.eval()
    >>> p.round(4)
    array([ 0.8061, -1.8029])
    """

    lr: Rate = 2.5e-3
    _: KW_ONLY
    betas: Annotated[tuple[float, float], decay_rates] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    warmup_steps: NonNegative = 0.0
    r: NonNegative = 0.0
    weight_lr_power: NonNegative = 2.0
    decoupled_weight_decay: bool = True

    RULE = "ScheduleFreeAdamW"
    STATE = ("z", "exp_avg_sq")

    @classmethod
    @reads("betas")
    def check(cls, options: dict[str, Any]) -> None:
        if options["betas"][0] == 0:
            raise ValueError(
                f"betas[0] must be in (0, 1), found {options['betas'][0]!r}; it is how much of the "
                "parameter is the average"
            )

    @classmethod
    def _share(cls, group: Mapping[str, Any]) -> float:
        betas: tuple[float, float] = cls._schema().checks["betas"]("betas", group["betas"])
        cls.check({"betas": betas})
        return betas[0]
