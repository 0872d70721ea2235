"""OneCycleLR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from ferrostep.schedulers import momentum
from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import (
    POSITIVE,
    UP_TO_ONE,
    Optimizer,
    integer,
    one_of,
    param_groups,
    per_group,
    real,
    require,
)
from ferrostep.schedulers.whole import whole


class OneCycleLR(LRScheduler):
    """Raises the rate to a peak, then takes it far below where it began; momentum runs contrary.

    From ``max_lr / div_factor`` up to ``max_lr`` in the first ``pct_start`` of the steps, then
    down to ``max_lr / div_factor / final_div_factor``; with ``three_phase``, back down to the
    first rate in as many steps again, and to the last one from there.  A stretch from ``a`` to
    ``b``, with ``pct`` of it done, is ``b + (a - b) / 2 * (1 + cos(pi * pct))`` or
    ``(b - a) * pct + a``.  Call ``step()`` after every batch.  Smith & Topin, arXiv:1708.07120.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.  The groups keep ``max_lr``, ``min_lr``, ``max_momentum`` and
        ``base_momentum``, which resuming needs.
    max_lr : float or list of float, finite and >= 0
        The peak, for all groups or for each.
    total_steps : int >= 1, optional
        Steps in the cycle; if None, ``epochs * steps_per_epoch``.
    epochs, steps_per_epoch : int >= 1, optional
        Needed (both) if ``total_steps`` is None.
    pct_start : float in [0, 1], default 0.3
        The part of the cycle in which the rate rises.
    anneal_strategy : {"cos", "linear"}, default "cos"
        The shape of a stretch.
    cycle_momentum : bool, default True
        Also cycle ``betas[0]`` or, where the optimizer has no betas, ``momentum``.
    base_momentum, max_momentum : float or list of float, defaults 0.85 and 0.95
        The momentum at the peak rate and at the first one: in [0, 1) for betas, else >= 0.
    div_factor : float > 0, default 25.0
        Peak over first rate.
    final_div_factor : float > 0, default 1e4
        First rate over last.
    three_phase : bool, default False
        Use three stretches instead of two.

    Raises
    ------
    ValueError
        An argument is out of its bounds; ``cycle_momentum`` with an optimizer that has neither
        momentum nor betas; a step beyond ``total_steps``.  (As in torch, the step *at*
        ``total_steps``, after the last batch, is none; it keeps the last rate.)

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import OneCycleLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1, momentum=0.9)
    >>> scheduler = OneCycleLR(opt, max_lr=0.5, total_steps=5, pct_start=0.6, div_factor=10)
    >>> for batch in range(5):
    ...     print("{lr:.5f} {momentum:.3f}".format(**opt.param_groups[0]))
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.05000 0.950
    0.27500 0.900
    0.50000 0.850
    0.25000 0.900
    0.00001 0.950
    """

    @whole
    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    "total_steps, or both epochs and steps_per_epoch, must be given, "
                    f"found {epochs=} and {steps_per_epoch=}"
                )
            total_steps = integer("epochs", epochs, 1) * integer(
                "steps_per_epoch", steps_per_epoch, 1
            )
        groups = param_groups(optimizer)
        self.optimizer = optimizer
        self.total_steps, self.pct_start, self.three_phase = total_steps, pct_start, three_phase
        self.anneal_strategy: str = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self._check()
        start: dict[str, list[float]] = {"max_lr": per_group("max_lr", max_lr, optimizer)}
        div = real("div_factor", div_factor, POSITIVE)
        final_div = real("final_div_factor", final_div_factor, POSITIVE)
        start["initial_lr"] = [lr / div for lr in start["max_lr"]]
        start["min_lr"] = [lr / final_div for lr in start["initial_lr"]]
        if cycle_momentum:
            bound = momentum.bound(optimizer)
            start["max_momentum"] = per_group("max_momentum", max_momentum, optimizer, bound)
            start["base_momentum"] = per_group("base_momentum", base_momentum, optimizer, bound)
        if integer("last_epoch", last_epoch, -1) == -1:
            for i, group in enumerate(groups):
                group.update({key: values[i] for key, values in start.items()})
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.total_steps = integer("total_steps", self.total_steps, 1)
        self.pct_start = real("pct_start", self.pct_start, UP_TO_ONE)
        self.anneal_strategy = one_of("anneal_strategy", self.anneal_strategy, "cos", "linear")
        momentum.check(self.optimizer, self.cycle_momentum)

    def _stretch(self) -> tuple[float, tuple[str, str], tuple[str, str]]:
        """How much of the present stretch is done, and from what to what lr and momentum go."""
        rising = ("initial_lr", "max_lr"), ("max_momentum", "base_momentum")
        falling = ("max_lr", "min_lr"), ("base_momentum", "max_momentum")
        peak, last = self.pct_start * self.total_steps - 1, float(self.total_steps - 1)
        stretches = [(peak, *rising), (last, *falling)]
        if self.three_phase:
            back = ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")
            tail = ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")
            stretches[1:] = [(2 * peak, *back), (last, *tail)]
        # `last` may round to another step than `peak` does, and one step past it is allowed.
        begin, now = 0.0, min(self.last_epoch, self.total_steps - 1)
        lr, ends = stretches[-1][1:]
        for end, lr, ends in stretches:  # noqa: B007
            if now <= end or end == last:
                break
            begin = end
        # A stretch without length is over at once (torch divides by zero).
        return (now - begin) / (end - begin) if end != begin else 1.0, lr, ends

    def _anneal(self, start: float, end: float, pct: float) -> float:
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)
        return (end - start) * pct + start

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"the step must be at most {self.total_steps}, the cycle's total_steps, "
                f"found {self.last_epoch}"
            )
        pct, (start, end), ends = self._stretch()
        require(self.optimizer, start, end, *(ends if self.cycle_momentum else ()))
        groups = self.optimizer.param_groups
        return [self._anneal(group[start], group[end], pct) for group in groups]

    def _apply(self, lrs: Sequence[float]) -> None:
        super()._apply(lrs)
        pct, _, (start, end) = self._stretch()
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            momentum.put(self.optimizer, group, self._anneal(group[start], group[end], pct))
