"""Learning-rate schedules with the names, arguments and arithmetic of ``torch.optim.lr_scheduler``.

A scheduler sees an optimizer as a list of groups with a learning rate each.  It knows nothing of
arrays, gradients or the compiled core, so it works with anything that has ``param_groups``.

Construction sets the rate of epoch 0; then call ``scheduler.step()`` after ``optimizer.step()``.
Most schedules are *recursive*: they multiply the rate that the group holds now.  That is why two
of them on one optimizer compound, and why a rate changed by hand is carried on.  Operations are
in torch's order, so the rates are torch's to the bit wherever ``cos`` and ``pow`` are the same.
"""

import copy
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import FunctionType
from typing import Any, ClassVar, Protocol

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class Optimizer(Protocol):
    """What a scheduler needs of an optimizer (`OneCycleLR` also reads ``defaults``)."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...


State = dict[str, Any]
Bound = tuple[str, Callable[[float], bool]]  # what is wanted, in words and as a test

FINITE: Bound = ("a finite number", lambda x: True)
NOT_NEGATIVE: Bound = ("a finite number >= 0", lambda x: x >= 0)
POSITIVE: Bound = ("a finite number > 0", lambda x: x > 0)
UP_TO_ONE: Bound = ("a number in [0, 1]", lambda x: 0 <= x <= 1)
BELOW_ONE: Bound = ("a number in [0, 1)", lambda x: 0 <= x < 1)
FRACTION: Bound = ("a number in (0, 1]", lambda x: 0 < x <= 1)

# In torch's state dicts, but of no use here: they load all the same.
TORCH_ONLY = {"_get_lr_called_within_step", "_is_initial", "_step_count", "mode_worse", "verbose"}


def _real(name: str, value: Any, bound: Bound = NOT_NEGATIVE) -> float:
    wanted, test = bound
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)  # a NumPy scalar must not spread through the rates
        if math.isfinite(number) and test(number):
            return number
    raise ValueError(f"{name} must be {wanted}, got {value!r}")


def _integer(name: str, value: Any, low: int) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low:
        return int(value)
    raise ValueError(f"{name} must be an integer >= {low}, got {value!r}")


def _one_of(name: str, value: Any, *wanted: str) -> str:
    if isinstance(value, str) and value in wanted:
        return value
    raise ValueError(f"{name} must be {' or '.join(map(repr, wanted))}, got {value!r}")


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    groups = getattr(optimizer, "param_groups", None)
    if isinstance(groups, list) and all(isinstance(g, dict) and "lr" in g for g in groups):
        return groups
    raise TypeError(
        "optimizer must have param_groups, a list of dicts with an 'lr' each, "
        f"got {type(optimizer).__name__}"
    )


def _per_group(name: str, value: Any, optimizer: Any, bound: Bound = NOT_NEGATIVE) -> list[float]:
    count = len(_groups(optimizer))
    if not isinstance(value, (list, tuple)):
        return [_real(name, value, bound)] * count
    if len(value) != count:
        raise ValueError(f"{name} must have one value for each of {count} groups, got {len(value)}")
    return [_real(f"{name}[{i}]", x, bound) for i, x in enumerate(value)]


def _require(optimizer: Any, *keys: str) -> None:
    for i, group in enumerate(_groups(optimizer)):
        for key in keys:
            if key not in group:
                raise ValueError(
                    f"param_groups[{i}] has no {key!r}, which a resumed scheduler needs: "
                    "load the optimizer's state first, or start with last_epoch=-1"
                )


class LRScheduler:
    """The machinery all schedulers share; a subclass says in ``get_lr`` what the next rates are.

    Parameters
    ----------
    optimizer : object with ``param_groups``
        Its groups' ``"lr"`` is changed; each gets ``"initial_lr"``, the rate it started from.
    last_epoch : int >= -1, default -1
        The last epoch that was finished; -1 starts afresh.  To resume, the groups must hold
        ``"initial_lr"``, and ``"lr"`` is taken as it is where torch takes it so (`StepLR` and
        `MultiStepLR` decay if the next epoch is one of theirs).  `load_state_dict` is surer.

    Attributes
    ----------
    base_lrs : list of float
        The groups' ``"initial_lr"``.
    last_epoch : int
        The epoch whose rates are now in force.

    Raises
    ------
    TypeError
        The optimizer has no ``param_groups``.
    ValueError
        An argument is out of its bounds, or ``"initial_lr"`` is missing on resuming.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LRScheduler
    >>> class Harmonic(LRScheduler):
    ...     def get_lr(self):
    ...         return [base / (1 + self.last_epoch) for base in self.base_lrs]
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = Harmonic(opt)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    _not_state: ClassVar[set[str]] = {"optimizer"}

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        groups = _groups(optimizer)
        self._check()
        self.last_epoch = _integer("last_epoch", last_epoch, -1)
        self.optimizer = optimizer
        if self.last_epoch == -1:
            for group in groups:
                group.setdefault("initial_lr", float(group["lr"]))
        _require(optimizer, "initial_lr")
        self.base_lrs = [float(group["initial_lr"]) for group in groups]
        self._begin()

    def get_lr(self) -> list[float]:
        """The groups' rates at ``last_epoch``, which has just been moved on by one."""
        raise NotImplementedError

    def _get_closed_form_lr(self) -> list[float]:
        """The rates at ``last_epoch`` from ``base_lrs`` alone, however it was reached."""
        return self.get_lr()

    def _first_lr(self) -> list[float]:
        """The rates that construction sets."""
        return self.get_lr()

    def _check(self) -> None:
        """Validate the options, whether an argument or a checkpoint set them."""

    def _scaled(self, factor: float) -> list[float]:
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _apply(self, lrs: Sequence[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = float(lr)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _begin(self) -> None:
        self.last_epoch += 1
        self._apply(self._first_lr())

    def _undo(self) -> None:
        self.last_epoch = max(self.last_epoch - 1, -1)

    def _follow_groups(self) -> None:
        """Take in the groups that ``add_param_group`` has brought since the last step."""
        groups = self.optimizer.param_groups
        if len(groups) < len(self.base_lrs):
            raise ValueError(
                f"optimizer has {len(groups)} param_groups, "
                f"but {type(self).__name__} was made for {len(self.base_lrs)}"
            )
        new = [g.setdefault("initial_lr", float(g["lr"])) for g in groups[len(self.base_lrs) :]]
        self.base_lrs = [*self.base_lrs, *new]

    def step(self, epoch: int | None = None) -> None:
        """Set the next epoch's rates; with ``epoch``, go there by the closed form instead."""
        before = self.last_epoch
        self._follow_groups()
        self.last_epoch = before + 1 if epoch is None else _integer("epoch", epoch, 0)
        try:
            lrs = self.get_lr() if epoch is None else self._get_closed_form_lr()
        except BaseException:
            self.last_epoch = before  # a step that failed has not happened
            raise
        self._apply(lrs)

    def get_last_lr(self) -> list[float]:
        """The rates that this scheduler set last, one for each group."""
        return list(self._last_lr)

    def _own_state(self) -> State:
        return {k: v for k, v in self.__dict__.items() if k not in self._not_state}

    def state_dict(self) -> State:
        """Everything but the optimizer (whose own state holds the rates now in force)."""
        return self._own_state()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a `state_dict`, all or nothing: a ValueError leaves the scheduler as it was.

        torch's state dicts load too, except `OneCycleLR`'s: resume that one with ``last_epoch``.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a dict, got {type(state_dict).__name__}")
        state = {k: v for k, v in state_dict.items() if k not in TORCH_ONLY}
        wanted = self._own_state().keys()
        if state.keys() != wanted:
            raise ValueError(
                f"state_dict is not one of {type(self).__name__}: "
                f"missing {sorted(wanted - state.keys())}, unknown {sorted(state.keys() - wanted)}"
            )
        trial = copy.copy(self)
        trial.__dict__.update(state)
        trial._check()
        trial.last_epoch = _integer("last_epoch", trial.last_epoch, -1)
        for name in state.keys() & {"base_lrs", "_last_lr"}:
            setattr(trial, name, _per_group(name, state[name], self.optimizer, FINITE))
        self.__dict__.update(trial.__dict__)


class LambdaLR(LRScheduler):
    """Multiplies the initial rate by a function of the epoch: ``lr = base_lr * lr_lambda(epoch)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    lr_lambda : callable, or list of callables
        Maps the epoch (an int) to a finite number; a list has one for each group.  `state_dict`
        holds the ``__dict__`` of a callable object, but nothing of a plain function.

    Raises
    ------
    TypeError
        Something in ``lr_lambda`` cannot be called.
    ValueError
        The list has the wrong length, or a call gave no finite number.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LambdaLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = LambdaLR(opt, lambda epoch: 0.5**epoch)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    _not_state: ClassVar[set[str]] = {"optimizer", "lr_lambdas"}

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(_groups(optimizer))
        self.lr_lambdas: list[Callable[[int], float]] = (
            list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count  # type: ignore[list-item]
        )
        if len(self.lr_lambdas) != count:
            raise ValueError(
                f"lr_lambda must have one function for each of {count} groups, "
                f"got {len(self.lr_lambdas)}"
            )
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda must be callable, got {function!r}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if len(self.lr_lambdas) != len(self.base_lrs):
            raise ValueError(
                f"lr_lambda has {len(self.lr_lambdas)} functions, "
                f"but the optimizer now has {len(self.base_lrs)} param_groups"
            )
        name = f"lr_lambda({self.last_epoch})"
        factors = [_real(name, function(self.last_epoch), FINITE) for function in self.lr_lambdas]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]

    def _objects(self) -> list[State | None]:
        """The live ``__dict__`` of each callable object, None for what has no state of its own."""
        found = [getattr(function, "__dict__", None) for function in self.lr_lambdas]
        plain = [isinstance(function, FunctionType) for function in self.lr_lambdas]
        return [
            state if isinstance(state, dict) and not bare else None
            for state, bare in zip(found, plain, strict=True)
        ]

    def state_dict(self) -> State:
        saved = [None if state is None else state.copy() for state in self._objects()]
        return self._own_state() | {"lr_lambdas": saved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = dict(state_dict)
        objects, saved = self._objects(), state.pop("lr_lambdas", None)
        if not isinstance(saved, list) or [s is None for s in saved] != [
            o is None for o in objects
        ]:
            raise ValueError(
                "lr_lambdas in state_dict must have a dict for each callable object and None for "
                f"each function of this scheduler, got {saved!r}"
            )
        super().load_state_dict(state)
        for live, loaded in zip(objects, saved, strict=True):
            if live is not None:
                live.update(loaded)


class StepLR(LRScheduler):
    """Decays the rate by a factor every few epochs: ``base_lr * gamma**(epoch // step_size)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    step_size : int >= 1
        Epochs from one decay to the next.
    gamma : float, finite and >= 0, default 0.1
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import StepLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = StepLR(opt, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     scheduler.step()
    0.1
    0.1
    0.05
    0.05
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.step_size = _integer("step_size", self.step_size, 1)
        self.gamma = _real("gamma", self.gamma)

    def get_lr(self) -> list[float]:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma if due else 1.0)

    def _get_closed_form_lr(self) -> list[float]:
        decay = self.gamma ** (self.last_epoch // self.step_size)
        return [base * decay for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Decays the rate at chosen epochs: ``base_lr * gamma**(milestones <= epoch)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    milestones : iterable of int >= 0
        The epochs, in any order; one that is named twice decays twice.
    gamma : float, finite and >= 0, default 0.1
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import MultiStepLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = MultiStepLR(opt, milestones=[1, 3], gamma=0.5)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     scheduler.step()
    0.1
    0.05
    0.05
    0.025
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"milestones must be an iterable of integers, got {milestones!r}")
        self.milestones, self.gamma = Counter(list(milestones)), gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        if not isinstance(self.milestones, Counter):
            raise ValueError(f"milestones must be a Counter, got {self.milestones!r}")
        for epoch, times in self.milestones.items():
            _integer("milestones", epoch, 0)
            _integer(f"milestones[{epoch}]", times, 0)
        self.gamma = _real("gamma", self.gamma)

    def get_lr(self) -> list[float]:
        # A Counter answers 0 for an epoch that it does not have, and gamma**0 is exactly 1.
        return self._scaled(self.gamma ** self.milestones[self.last_epoch])

    def _get_closed_form_lr(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Decays the rate by a factor every epoch: ``base_lr * gamma**epoch``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    gamma : float, finite and >= 0
        The factor.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ExponentialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = ExponentialLR(opt, gamma=0.5)
    >>> scheduler.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.025]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.gamma = _real("gamma", self.gamma)

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        return self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Changes the rate linearly between two multiples of the initial one (a warm-up, mostly).

    ``base_lr * (start_factor + (end_factor - start_factor) * min(epoch, total_iters)
    / total_iters)``

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    start_factor : float in (0, 1], default 1/3
        The multiple at epoch 0.
    end_factor : float in [0, 1], default 1.0
        The multiple from epoch ``total_iters`` on.
    total_iters : int >= 1, default 5
        The epochs from one to the other.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LinearLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = LinearLR(opt, start_factor=0.5, total_iters=4)
    >>> for epoch in range(6):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     scheduler.step()
    0.0500
    0.0625
    0.0750
    0.0875
    0.1000
    0.1000
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.start_factor = _real("start_factor", self.start_factor, FRACTION)
        self.end_factor = _real("end_factor", self.end_factor, UP_TO_ONE)
        self.total_iters = _integer("total_iters", self.total_iters, 1)

    def _first_lr(self) -> list[float]:
        return self._scaled(self.start_factor if self.last_epoch == 0 else 1.0)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch > self.total_iters:
            return self._first_lr()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return self._scaled(1.0 + rise / before)

    def _get_closed_form_lr(self) -> list[float]:
        rise, done = self.end_factor - self.start_factor, min(self.total_iters, self.last_epoch)
        return [
            base * (self.start_factor + rise * done / self.total_iters) for base in self.base_lrs
        ]


class CosineAnnealingLR(LRScheduler):
    """Anneals the rate along half a cosine (without restarts: past ``T_max`` it rises again).

    ``eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    T_max : int >= 1
        The epoch of the lowest rate.
    eta_min : float, finite and >= 0, default 0.0
        The lowest rate.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import CosineAnnealingLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = CosineAnnealingLR(opt, T_max=4)
    >>> for epoch in range(5):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     scheduler.step()
    0.1000
    0.0854
    0.0500
    0.0146
    0.0000
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.T_max = _integer("T_max", self.T_max, 1)
        self.eta_min = _real("eta_min", self.eta_min)

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        t, T, low = self.last_epoch, self.T_max, self.eta_min
        now = self._scaled(1.0)
        if (t - 1 - T) % (2 * T) == 0:  # just after a minimum, where the ratio below is x / 0
            rise = 1 - math.cos(math.pi / T)
            return [
                lr + (base - low) * rise / 2 for lr, base in zip(now, self.base_lrs, strict=True)
            ]
        ratio = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return [ratio * (lr - low) + low for lr in now]

    def _get_closed_form_lr(self) -> list[float]:
        height, low = 1 + math.cos(math.pi * self.last_epoch / self.T_max), self.eta_min
        return [low + (base - low) * height / 2 for base in self.base_lrs]


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
    ...     scheduler.step()
    0.05000 0.950
    0.27500 0.900
    0.50000 0.850
    0.25000 0.900
    0.00001 0.950
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
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
                raise ValueError("total_steps, or both epochs and steps_per_epoch, must be given")
            total_steps = _integer("epochs", epochs, 1) * _integer(
                "steps_per_epoch", steps_per_epoch, 1
            )
        groups = _groups(optimizer)
        self.optimizer = optimizer
        self.total_steps, self.pct_start, self.three_phase = total_steps, pct_start, three_phase
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        self._check()
        start: dict[str, list[float]] = {"max_lr": _per_group("max_lr", max_lr, optimizer)}
        div = _real("div_factor", div_factor, POSITIVE)
        final_div = _real("final_div_factor", final_div_factor, POSITIVE)
        start["initial_lr"] = [lr / div for lr in start["max_lr"]]
        start["min_lr"] = [lr / final_div for lr in start["initial_lr"]]
        if cycle_momentum:
            bound = BELOW_ONE if self._uses_betas else NOT_NEGATIVE
            start["max_momentum"] = _per_group("max_momentum", max_momentum, optimizer, bound)
            start["base_momentum"] = _per_group("base_momentum", base_momentum, optimizer, bound)
        if _integer("last_epoch", last_epoch, -1) == -1:
            for i, group in enumerate(groups):
                group.update({key: values[i] for key, values in start.items()})
        super().__init__(optimizer, last_epoch)

    @property
    def _uses_betas(self) -> bool:
        return "betas" in getattr(self.optimizer, "defaults", {})

    def _check(self) -> None:
        self.total_steps = _integer("total_steps", self.total_steps, 1)
        self.pct_start = _real("pct_start", self.pct_start, UP_TO_ONE)
        self.anneal_strategy = _one_of("anneal_strategy", self.anneal_strategy, "cos", "linear")
        if self.cycle_momentum and not (
            self._uses_betas or "momentum" in getattr(self.optimizer, "defaults", {})
        ):
            raise ValueError(
                f"cycle_momentum must be False: {type(self.optimizer).__name__} "
                "has neither 'momentum' nor 'betas' among its defaults"
            )

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
        lr, momentum = stretches[-1][1:]
        for end, lr, momentum in stretches:  # noqa: B007
            if now <= end or end == last:
                break
            begin = end
        # A stretch without length is over at once (torch divides by zero).
        return (now - begin) / (end - begin) if end != begin else 1.0, lr, momentum

    def _anneal(self, start: float, end: float, pct: float) -> float:
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)
        return (end - start) * pct + start

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"total_steps is {self.total_steps}, so step {self.last_epoch} is beyond the cycle"
            )
        pct, (start, end), momentum = self._stretch()
        _require(self.optimizer, start, end, *(momentum if self.cycle_momentum else ()))
        groups = self.optimizer.param_groups
        return [self._anneal(group[start], group[end], pct) for group in groups]

    def _apply(self, lrs: Sequence[float]) -> None:
        super()._apply(lrs)
        pct, _, (start, end) = self._stretch()
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            momentum = self._anneal(group[start], group[end], pct)
            if self._uses_betas:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


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
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        # Not the base's constructor: there is no first rate to set, and no base to come back to.
        self._last_lr = [float(group["lr"]) for group in _groups(optimizer)]
        self.optimizer, self.last_epoch = optimizer, 0
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        # A single bound also holds for groups that are added later.
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else _real("min_lr", min_lr)
        self.min_lrs = _per_group("min_lr", min_lr, optimizer)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = 0
        self._check()

    def _check(self) -> None:
        self.mode = _one_of("mode", self.mode, "min", "max")
        self.factor = _real("factor", self.factor, BELOW_ONE)
        self.threshold = _real("threshold", self.threshold)
        self.threshold_mode = _one_of("threshold_mode", self.threshold_mode, "rel", "abs")
        self.eps = _real("eps", self.eps)
        self.min_lrs = _per_group("min_lr", self.min_lrs, self.optimizer)
        if self.default_min_lr is not None:
            self.default_min_lr = _real("min_lr", self.default_min_lr)
        if not isinstance(self.best, float):
            raise ValueError(f"best must be a float, got {self.best!r}")
        for name in ("patience", "cooldown", "cooldown_counter", "num_bad_epochs"):
            setattr(self, name, _integer(name, getattr(self, name), 0))

    def _is_better(self, metric: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        bar = self.best * (1.0 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric < bar if self.mode == "min" else metric > bar

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise ValueError(
                    f"min_lr has {len(self.min_lrs)} values, "
                    f"but the optimizer now has {len(groups)} param_groups"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, min_lr in zip(groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, min_lr)
            if group["lr"] - lr > self.eps:
                group["lr"] = float(lr)

    # A metric instead of an epoch is torch's own exception to the interface.
    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the metric of the epoch just finished, and lower the rates if it is time."""
        try:
            metric = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(f"metrics must be a single number, got {metrics!r}") from None
        self.last_epoch = self.last_epoch + 1 if epoch is None else _integer("epoch", epoch, 0)
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


class SequentialLR(LRScheduler):
    """Runs one scheduler after another, each from its own epoch 0: ``lr_i(epoch - milestone_i)``.

    Construction puts the rates back to ``initial_lr`` and starts the first scheduler again, since
    the others' construction has changed them.  Each of the others begins at its milestone with
    ``step(0)``, so by its closed form and not from the rate the one before it left.

    Parameters
    ----------
    optimizer
        See `LRScheduler`.
    schedulers : list of LRScheduler
        At least one; all made on ``optimizer``; no `ReduceLROnPlateau`.
    milestones : list of int >= 0
        In order, one fewer than schedulers: the epochs at which the second, third, ... begin.
    last_epoch : int >= -1, default -1
        Only where the count begins, as in torch; to resume, use `load_state_dict`.

    Raises
    ------
    TypeError
        One of ``schedulers`` is no scheduler.
    ValueError
        No schedulers, one that cannot be used here, or milestones that do not fit.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import ExponentialLR, LinearLR, SequentialLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> warm_up = LinearLR(opt, start_factor=0.5, total_iters=2)
    >>> decay = ExponentialLR(opt, gamma=0.5)
    >>> scheduler = SequentialLR(opt, [warm_up, decay], milestones=[2])
    >>> for epoch in range(5):
    ...     print(f"{opt.param_groups[0]['lr']:.3f}")
    ...     scheduler.step()
    0.050
    0.075
    0.100
    0.050
    0.025
    """

    # What the base keeps in base_lrs, each of the schedulers has in its own state.
    _not_state: ClassVar[set[str]] = {"optimizer", "_schedulers", "base_lrs"}

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        _groups(optimizer)
        self._schedulers, self._milestones = list(schedulers), list(milestones)
        if not self._schedulers:
            raise ValueError("schedulers must have at least one scheduler, got none")
        for i, scheduler in enumerate(self._schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"schedulers[{i}] must be a scheduler, got {scheduler!r}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"schedulers[{i}] is a ReduceLROnPlateau, whose step needs a metric: "
                    "call it beside the SequentialLR"
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"schedulers[{i}] must be on the same optimizer, got another's")
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        if len(self._milestones) != len(self._schedulers) - 1:
            raise ValueError(
                f"milestones must have one value fewer than schedulers ({len(self._schedulers)}), "
                f"got {len(self._milestones)}"
            )
        self._milestones = [_integer("milestones", m, 0) for m in self._milestones]
        if self._milestones != sorted(self._milestones):
            raise ValueError(f"milestones must be in increasing order, got {self._milestones}")

    def _begin(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = float(group["initial_lr"])
        for scheduler in self._schedulers:
            scheduler._undo()
        self.last_epoch += 1
        self._start(self._schedulers[bisect_right(self._milestones, 0)])

    def _start(self, scheduler: LRScheduler) -> None:
        scheduler._begin()
        self._last_lr = scheduler.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Set the next epoch's rates; with ``epoch``, go there by the closed form instead."""
        self._follow_groups()
        now = self.last_epoch + 1 if epoch is None else _integer("epoch", epoch, 0)
        index = bisect_right(self._milestones, now)
        begun = self._milestones[index - 1] if index else 0
        scheduler = self._schedulers[index]
        scheduler.step(now - begun if epoch is not None or (index and now == begun) else None)
        self.last_epoch, self._last_lr = now, scheduler.get_last_lr()

    def state_dict(self) -> State:
        return self._own_state() | {"_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state, before = dict(state_dict), self.state_dict()["_schedulers"]
        loaded = state.pop("_schedulers", None)
        if not isinstance(loaded, list) or len(loaded) != len(self._schedulers):
            raise ValueError(
                f"_schedulers in state_dict must be a list of {len(self._schedulers)} states, "
                f"got {loaded!r}"
            )
        try:
            for scheduler, new in zip(self._schedulers, loaded, strict=True):
                scheduler.load_state_dict(new)
            super().load_state_dict(state)
        except Exception:
            for scheduler, old in zip(self._schedulers, before, strict=True):
                scheduler.load_state_dict(old)
            raise
