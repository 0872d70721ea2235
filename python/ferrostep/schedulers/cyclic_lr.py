"""CyclicLR."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

from ferrostep.loading import Loading
from ferrostep.schedulers import momentum
from ferrostep.schedulers.base import LRScheduler, State
from ferrostep.schedulers.checks import (
    FINITE,
    FRACTION,
    POSITIVE,
    Optimizer,
    check_count,
    integer,
    mapping,
    one_of,
    param_groups,
    per_group,
    real,
)
from ferrostep.schedulers.functions import copied, fits, state_of
from ferrostep.schedulers.whole import whole


class CyclicLR(LRScheduler):
    """Moves the rate up and down between two bounds; momentum runs contrary.

    ``base_lr + (max_lr - base_lr) * f * scale``, where ``f`` goes from 0 to 1 in ``step_size_up``
    steps and back in ``step_size_down``, and ``scale`` is 1 ("triangular"), ``1 / 2**(cycle - 1)``
    ("triangular2"), ``gamma**step`` ("exp_range") or ``scale_fn(...)``; the momentum is
    ``max_momentum - (max_momentum - base_momentum) * f * scale``.  Call ``step()`` after every
    batch.  Smith, arXiv:1506.01186.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.  The groups keep ``max_momentum`` and ``base_momentum``.
    base_lr : float or list of float, finite and >= 0
        The lowest rate, for all groups or for each.  The first rate, also where another scheduler
        came before (torch begins from ``"initial_lr"`` there).
    max_lr : float or list of float, finite and >= 0
        The peak of the first cycle, for all groups or for each.
    step_size_up : float > 0, default 2000
        Steps of the way up.
    step_size_down : float >= 0, optional
        Steps of the way down; if None, as many as up.
    mode : {"triangular", "triangular2", "exp_range"}, default "triangular"
        How the peaks change.  Without effect beside ``scale_fn``.
    gamma : float, finite and >= 0, default 1.0
        The factor of "exp_range".
    scale_fn : callable, optional
        Maps a cycle's number, from 1 on, or a step's, from 0 on, to a finite number; `state_dict`
        holds the ``__dict__`` of a callable object, but nothing of a plain function.
    scale_mode : {"cycle", "iterations"}, default "cycle"
        Which of the two ``scale_fn`` is called with.
    cycle_momentum : bool, default True
        Also cycle ``betas[0]`` or, where the optimizer has no betas, ``momentum``.
    base_momentum, max_momentum : float or list of float, defaults 0.8 and 0.9
        The momentum at the peak rate and at the lowest: in [0, 1) for betas, else >= 0.

    Raises
    ------
    ValueError
        An argument is out of its bounds; ``cycle_momentum`` with an optimizer that has neither
        momentum nor betas.
    TypeError
        ``scale_fn`` cannot be called.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import CyclicLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1, momentum=0.9)
    >>> scheduler = CyclicLR(opt, base_lr=0.1, max_lr=0.5, step_size_up=2)
    >>> for batch in range(5):
    ...     print("{lr:.3f} {momentum:.3f}".format(**opt.param_groups[0]))
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.100 0.900
    0.300 0.850
    0.500 0.800
    0.300 0.850
    0.100 0.900
    """

    _not_state: ClassVar[set[str]] = {"optimizer", "_scale_fn_custom"}
    _scale_fn_custom: Callable[[int], float] | None = None

    @whole
    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"scale_fn must be callable, found {scale_fn!r}")
        groups = param_groups(optimizer)
        self.optimizer = optimizer
        self.base_lrs = per_group("base_lr", base_lr, optimizer)
        self.max_lrs: Any = max_lr
        up = real("step_size_up", step_size_up, POSITIVE)
        down = up if step_size_down is None else real("step_size_down", step_size_down)
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        self.mode: str = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode: str = scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums: Any = base_momentum
            self.max_momentums: Any = max_momentum
        self._check()
        if integer("last_epoch", last_epoch, -1) == -1:
            for i, group in enumerate(groups):
                group["lr"] = self.base_lrs[i]
                if cycle_momentum:
                    group["max_momentum"] = self.max_momentums[i]
                    group["base_momentum"] = self.base_momentums[i]
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.max_lrs = per_group("max_lr", self.max_lrs, self.optimizer)
        self.total_size = real("total_size", self.total_size, POSITIVE)
        self.step_ratio = real("step_ratio", self.step_ratio, FRACTION)
        self.gamma = real("gamma", self.gamma)
        if self._scale_fn_custom is None:
            self.mode = one_of("mode", self.mode, "triangular", "triangular2", "exp_range")
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"
        self.scale_mode = one_of("scale_mode", self.scale_mode, "cycle", "iterations")
        cycles = "base_momentums" in vars(self)  # a state cannot change that
        if self.cycle_momentum is not cycles:
            raise ValueError(f"cycle_momentum must be {cycles} here, found {self.cycle_momentum!r}")
        if cycles:
            momentum.check(self.optimizer, self.cycle_momentum)
            self.use_beta1 = momentum.uses_betas(self.optimizer)
            bound = momentum.bound(self.optimizer)
            for name in ("base_momentum", "max_momentum"):
                found = getattr(self, name + "s")
                setattr(self, name + "s", per_group(name, found, self.optimizer, bound))

    def _scale(self, cycle: int) -> float:
        if self._scale_fn_custom is not None:
            x = cycle if self.scale_mode == "cycle" else self.last_epoch
            return real(f"scale_fn({x})", self._scale_fn_custom(x), FINITE)
        if self.mode == "exp_range":
            return float(self.gamma**self.last_epoch)
        # 1 / 2**(cycle - 1), which a float does not hold from the 1,025th cycle on.
        return 1.0 if self.mode == "triangular" else math.ldexp(1.0, 1 - cycle)

    def _heights(self) -> tuple[float, float]:
        """How far up this step is within its cycle, and the scale of that."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rising = x <= self.step_ratio
        up = x / self.step_ratio if rising else (x - 1) / (self.step_ratio - 1)
        return up, self._scale(cycle)

    def get_lr(self) -> list[float]:
        check_count("max_lr", "values", len(self.max_lrs), len(self.base_lrs))
        up, scale = self._heights()
        return [
            low + (high - low) * up * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def _apply(self, lrs: Sequence[float]) -> None:
        super()._apply(lrs)
        up, scale = self._heights()
        for i, group in enumerate(self.optimizer.param_groups if self.cycle_momentum else ()):
            low, high = self.base_momentums[i], self.max_momentums[i]
            momentum.put(self.optimizer, group, high - (high - low) * up * scale)

    def state_dict(self) -> State:
        return self._own_state() | {"_scale_fn_custom": copied(state_of(self._scale_fn_custom))}

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        state = mapping(state_dict)
        live, saved = state_of(self._scale_fn_custom), state.pop("_scale_fn_custom", None)
        if not fits(saved, live):
            raise ValueError(
                "_scale_fn_custom in state_dict must be a dict if scale_fn is a callable object, "
                f"else None, found {saved!r:.200}"
            )
        super()._plan_load(state, loading)
        if live is not None:
            loading.add(partial(live.update, dict(saved)))

    def _dicts(self) -> list[State]:
        live = state_of(self._scale_fn_custom)
        return [*super()._dicts(), *([] if live is None else [live])]
