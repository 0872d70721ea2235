"""ReduceLROnPlateau."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import (
    BELOW_ONE,
    Optimizer,
    check_count,
    integer,
    one_of,
    param_groups,
    per_group,
    real,
)
from ferrostep.schedulers.whole import whole


class ReduceLROnPlateau(LRScheduler):
    """Lowers the rate when a metric has stopped improving: ``lr = max(lr * factor, min_lr)``.

    Better is ``metric < best * (1 - threshold)`` (min, rel), ``metric < best - threshold`` (min,
    abs), ``metric > best * (1 + threshold)`` (max, rel) or ``metric > best + threshold`` (max,
    abs).  NaN is never better.

    Parameters
    ----------
    optimizer
        See `LRScheduler`.
    mode : {"min", "max"}, default "min"
        Whether the metric is to fall or to rise.
    factor : float in [0, 1), default 0.1
        What the rate is multiplied by.
    patience : int >= 0, default 10
        Epochs without improvement that are let pass; one more lowers the rate.
    threshold : float, finite and >= 0, default 1e-4
        By how much the metric must be better.
    threshold_mode : {"rel", "abs"}, default "rel"
        Whether that is relative to the best metric.
    cooldown : int >= 0, default 0
        Epochs after a reduction in which bad ones are not counted.
    min_lr : float or list of float, finite and >= 0, default 0
        The lowest rate, for all groups or for each.
    eps : float, finite and >= 0, default 1e-8
        A change no larger than this is not made.

    Raises
    ------
    ValueError
        An argument is out of its bounds.
    TypeError
        ``step`` got a metric that is no number.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ReduceLROnPlateau
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = ReduceLROnPlateau(opt, factor=0.5, patience=1)
    >>> for loss in [1.0, 0.5, 0.5, 0.5]:
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.05]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        # Not the base's constructor: there is no first rate to set, and no base to come back to.
        self.optimizer, self.last_epoch = optimizer, 0
        self._last_lr = [float(group["lr"]) for group in self._know_groups()]
        self.mode: str = mode
        self.threshold_mode: str = threshold_mode
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.cooldown, self.eps = cooldown, eps
        # A single bound also holds for groups that are added later.
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else real("min_lr", min_lr)
        self.min_lrs = per_group("min_lr", min_lr, optimizer)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = 0
        self._check()

    def _check(self) -> None:
        self.mode = one_of("mode", self.mode, "min", "max")
        self.factor = real("factor", self.factor, BELOW_ONE)
        self.threshold = real("threshold", self.threshold)
        self.threshold_mode = one_of("threshold_mode", self.threshold_mode, "rel", "abs")
        self.eps = real("eps", self.eps)
        self.min_lrs = per_group("min_lr", self.min_lrs, self.optimizer)
        if self.default_min_lr is not None:
            self.default_min_lr = real("min_lr", self.default_min_lr)
        if not isinstance(self.best, float):
            raise ValueError(f"best must be a float, found {self.best!r}")
        for name in ("patience", "cooldown", "cooldown_counter", "num_bad_epochs"):
            setattr(self, name, integer(name, getattr(self, name), 0))

    def _is_better(self, metric: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        bar = self.best * (1.0 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric < bar if self.mode == "min" else metric > bar

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            least = self.default_min_lr
            if least is None:
                check_count("min_lr", "values", len(self.min_lrs), len(groups))
            else:
                self.min_lrs = [least] * len(groups)
        for group, min_lr in zip(groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, min_lr)
            if group["lr"] - lr > self.eps:
                group["lr"] = float(lr)

    # A metric instead of an epoch is torch's own exception to the interface.
    @whole
    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the metric of the epoch just finished, and lower the rates if it is time."""
        try:
            metric = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(f"metrics must be a single number, found {metrics!r}") from None
        if self.default_min_lr is None:
            self._know_groups()
        else:  # then nothing is kept of each group
            param_groups(self.optimizer)
        self.last_epoch = self.last_epoch + 1 if epoch is None else integer("epoch", epoch, 0)
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]
