"""Schedule-free SGD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.evaluated import ScheduleFree
from ferrostep.options import NonNegative, Rate, within


class ScheduleFreeSGD(ScheduleFree):
    """SGD that averages instead of lowering its learning rate: no schedule, no end to be known.

    The parameter is ``y``, at which gradients are taken, between ``z``, which makes SGD's steps,
    and ``x``, the average of ``z``, which is what to evaluate with. At step ``t``::

        lr_t = lr * min(1, t/warmup_steps);  lr_max = max(lr_max, lr_t)
        w = t**r * lr_max**weight_lr_power;  weight_sum = weight_sum + w;  c = w/weight_sum
        n = g + weight_decay*y
        y = y + c*(z - y) - lr_t*(1 - momentum*(1 - c))*n
        z = z - lr_t*n

    ``x`` is kept nowhere: ``opt.eval()`` puts ``x = y + (1 - 1/momentum)*(z - y)`` into the
    parameters, ``opt.train()`` puts ``y = x + (1 - momentum)*(z - x)`` back. An optimizer begins
    in training; a step between `eval` and `train` is an error. **Who saves or evaluates a model
    without `eval` has y**, which is worse. A good learning rate is 10 to 50 times SGD's.

    A parameter without a gradient ages with its own steps (in the authors' package with those of
    its group). Gradients as `Rows` are refused.

    Parameters
    ----------
    params
        What to update: see `Optimizer`.
    lr
        Learning rate; default 1.0, finite and >= 0.
    momentum
        How much of ``y`` is the average; default 0.9, in (0, 1). It stays as it is: of a ``y`` that
        was made with another, `eval` makes no average. (So no scheduler may cycle it.)
    warmup_steps
        Over how many steps the rate rises to `lr`; default 0, finite and >= 0.
    r
        The power of ``t`` with which later points weigh more; default 0, finite and >= 0.
    weight_lr_power
        The power of the largest rate so far in a point's weight, so that those of a warm-up weigh
        less; default 2, finite and >= 0.
    weight_decay, maximize, state_dtype, ...
        The options of every class: see `Optimizer`. The decay is that of ``y``, in both forms.

    State
    -----
    weight_sum, lr_max
        The sum of all weights, and the largest rate so far, floats.
    averaged
        1.0 after `eval`, while the parameter is ``x``; else 0.0.
    z
        Where SGD's steps have led. It begins as the parameter; NaN before the first step.

    References
    ----------
    Defazio, Yang, Khaled, Mishchenko, Mehta & Cutkosky 2024, "The Road Less Scheduled",
    arXiv:2405.15682; defaults and weights of their package schedulefree.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.ScheduleFreeSGD([p], lr=0.1)
    >>> for _ in range(3):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p.round(4)
    array([ 0.631 , -1.2621])
    >>> opt.eval()
    >>> p.round(4)
    array([ 0.6459, -1.2917])
    """

    lr: Rate = 1.0
    _: KW_ONLY
    momentum: Annotated[float, within] = 0.9
    warmup_steps: NonNegative = 0.0
    r: NonNegative = 0.0
    weight_lr_power: NonNegative = 2.0

    RULE = "ScheduleFreeSGD"
    STATE = ("z",)

    @classmethod
    def _share(cls, group: Mapping[str, Any]) -> float:
        momentum: float = cls._schema().checks["momentum"]("momentum", group["momentum"])
        return momentum
