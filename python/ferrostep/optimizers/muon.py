"""Muon."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

from ferrostep.optimizer import Optimizer
from ferrostep.option import reads
from ferrostep.options import Rate, number, positive
from ferrostep.typing import AdjustLr


class Muon(Optimizer):
    """Momentum that is made orthogonal: all directions of a weight matrix learn at one rate.

    With the gradient ``g``, a matrix::

        buf = momentum*buf + (1 - momentum)*g
        u = (1 - momentum)*g + momentum*buf, or buf without nesterov
        X = u/max(||u||, eps), turned over if it has more rows than columns

    and five times, with ``a, b, c = 3.4445, -4.7750, 2.0315``::

        A = X @ X.T
        X = a*X + (b*A + c*(A @ A)) @ X

    after which ``p = p - (lr*ratio)*X``. Weight decay multiplies ``p`` first.

    It is for the weight matrices of hidden layers. Parameters of another number of dimensions are
    refused: give biases and gains, and embeddings and the last layer too, to an optimizer of their
    own, `AdamW` for instance. Convolutions can be given as matrices, ``w.reshape(len(w), -1)``.

    The products are computed in the type that the parameter is computed in, and added up in one
    order, so that they have the same bits everywhere; torch computes them in bfloat16. They are
    most of the step: ``5*r*r*(r + 3*c)`` multiplications, and as many additions, for ``r`` rows and
    ``c >= r`` columns. While the step runs it needs some seven times the memory of the largest
    matrix; on a device, where matrices of one shape are made orthogonal together, of a few.

    Parameters
    ----------
    params
        What to update, matrices all: see `Optimizer`.
    lr
        Learning rate; default 1e-3, finite and >= 0.
    momentum
        How much of the average stays; default 0.95, in [0, 1).
    nesterov
        Whether to look ahead; default True.
    eps
        What ``u`` is divided by at least; default 1e-7, finite and > 0.
    adjust_lr
        The ratio, by the shape; default "original", ``sqrt(max(1, rows/columns))``. With
        "match_rms_adamw", ``0.2*sqrt(max(rows, columns))``, the learning rate and the weight decay
        of `AdamW` can stay. "spectral_unclamped" is ``sqrt(rows/columns)``.
    weight_decay
        Default 0.1, finite and >= 0.
    decoupled_weight_decay
        Default True, and nothing else with weight decay.
    maximize, state_dtype, ...
        The options of every class: see `Optimizer`.

    Raises
    ------
    ValueError
        If a parameter is no matrix.

    State
    -----
    momentum_buffer
        The average, ``buf``. Starts at 0.

    References
    ----------
    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982
    (``match_rms_adamw``); Bernstein & Newhouse 2024, arXiv:2409.20325.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> w, b = np.array([[1.0, -2.0], [0.5, 4.0]]), np.ones(2)
    >>> muon, adamw = fs.Muon([w], lr=0.1), fs.AdamW([b], lr=0.1)
    >>> for _ in range(3):  # the gradient of w**2 and b**2
    ...     info = muon.step([2 * w]), adamw.step([2 * b])
    >>> w.round(4), b.round(4)
    (array([[ 0.7726, -1.843 ],
           [ 0.3863,  3.686 ]]), array([0.6989, 0.6989]))
    """

    lr: Rate = 1e-3
    _: KW_ONLY
    momentum: Annotated[float, number(0, 1)] = 0.95
    nesterov: bool = True
    eps: Annotated[float, positive] = 1e-7
    adjust_lr: AdjustLr = "original"
    weight_decay: float = 0.1
    decoupled_weight_decay: bool = True

    RULE = "Muon"
    STATE = ("momentum_buffer",)
    MATRICES = True

    @classmethod
    @reads("weight_decay", "decoupled_weight_decay")
    def check(cls, options: dict[str, Any]) -> None:
        if options["weight_decay"] != 0 and not options["decoupled_weight_decay"]:
            raise ValueError(
                "decoupled_weight_decay must be True for Muon with weight_decay, found False; "
                "set weight_decay=0 and add the penalty's gradient to yours"
            )
