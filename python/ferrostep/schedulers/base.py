"""The machinery that all schedulers share."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from reprlib import Repr
from typing import Any, ClassVar

from ferrostep.loading import Loading, restoring
from ferrostep.schedulers.checks import (
    FINITE,
    Optimizer,
    integer,
    mapping,
    param_groups,
    per_group,
    require,
)
from ferrostep.schedulers.order import warn_of_early_step
from ferrostep.schedulers.whole import held, whole

State = dict[str, Any]

# In torch's state dicts, but of no use here: they load all the same.
TORCH_ONLY = {"_get_lr_called_within_step", "_is_initial", "_step_count", "mode_worse", "verbose"}

# What every scheduler has, beside the options that `repr` tells apart.
_IN_COMMON = {"optimizer", "last_epoch", "base_lrs", "_last_lr", "_known"}
# A subclass may hold anything, of any length.
_short = Repr()
_short.maxother = 100


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
    >>> info = opt.step([np.ones(3)])
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    >>> scheduler
    Harmonic(): epoch 1, lr [0.05]
    """

    _not_state: ClassVar[set[str]] = {"optimizer"}
    base_lrs: list[float]
    # The groups, in the order in which all is kept that is kept of each.
    _known: Sequence[State] = ()

    @whole
    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        groups = self._know_groups()
        self._check()
        self.last_epoch = integer("last_epoch", last_epoch, -1)
        if self.last_epoch == -1:
            for group in groups:
                group.setdefault("initial_lr", float(group["lr"]))
        require(optimizer, "initial_lr")
        if "base_lrs" not in vars(self):  # some are told others
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

    def _know_groups(self) -> list[State]:
        """Return the groups, and refuse to go on where one of those that were known is gone.

        Some optimizers (torch's) put other dicts in the place of all of them when they are loaded.
        """
        groups = param_groups(self.optimizer)
        known, now = [id(group) for group in self._known], [id(group) for group in groups]
        if now[: len(known)] != known and set(now) & set(known):
            raise ValueError(
                f"param_groups has other groups in the place of those that {type(self).__name__} "
                "was made for, so that rates would go to the wrong ones; make a new scheduler "
                f"(most go on from here with last_epoch={self.last_epoch})"
            )
        self._known = list(groups)
        return groups

    def _follow_groups(self) -> None:
        """Take in the groups that ``add_param_group`` has brought since the last step."""
        groups = self._know_groups()
        if len(groups) < len(self.base_lrs):
            raise ValueError(
                f"optimizer has {len(groups)} param_groups, wanted the {len(self.base_lrs)} that "
                f"{type(self).__name__} was made for"
            )
        new = [g.setdefault("initial_lr", float(g["lr"])) for g in groups[len(self.base_lrs) :]]
        self.base_lrs = [*self.base_lrs, *new]

    @whole
    def step(self, epoch: int | None = None) -> None:
        """Set the next epoch's rates; with ``epoch``, go there by the closed form instead.

        Warns if the optimizer has not stepped any parameter yet: its step comes first.
        """
        if epoch is None and self.last_epoch == 0:
            warn_of_early_step(self.optimizer)
        self._follow_groups()
        self._move(epoch)

    def _move(self, epoch: int | None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else integer("epoch", epoch, 0)
        self._apply(self.get_lr() if epoch is None else self._get_closed_form_lr())

    def get_last_lr(self) -> list[float]:
        """The rates that this scheduler set last, one for each group."""
        return list(self._last_lr)

    def __repr__(self) -> str:
        options, epoch, lr = self._facts()
        told = ", ".join(f"{name}={value}" for name, value in options.items())
        return f"{type(self).__name__}({told}): epoch {epoch}, lr {lr}"

    def _repr_html_(self) -> str:
        from ferrostep.markup import table

        options, epoch, lr = self._facts()
        rows = [*options.items(), ("epoch", str(epoch)), ("learning rates", str(lr))]
        return table(["option", "value"], rows, type(self).__name__)

    def _facts(self) -> tuple[dict[str, str], str | None, str | None]:
        """Return options, the epoch and the rates, as far as they are set."""
        held = {name: _short.repr(value) for name, value in vars(self).items()}
        options = {name.lstrip("_"): held[name] for name in held if name not in _IN_COMMON}
        return options, held.get("last_epoch"), held.get("_last_lr")

    def _own_state(self) -> State:
        left_out = {*self._not_state, "_known"}
        return {k: v for k, v in self.__dict__.items() if k not in left_out}

    def state_dict(self) -> State:
        """Everything but the optimizer (whose own state holds the rates now in force)."""
        return self._own_state()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a `state_dict`, all or nothing: an error or a Ctrl-C leaves it as it was.

        torch's state dicts load too, except `OneCycleLR`'s: resume that one with ``last_epoch``.
        """
        loading = Loading()
        self._plan_load(state_dict, loading)
        loading.take_over()

    def _plan_load(self, state_dict: Mapping[str, Any], loading: Loading) -> None:
        """Check a state dict, and leave to `loading` what takes it over."""
        state = {k: v for k, v in mapping(state_dict).items() if k not in TORCH_ONLY}
        wanted = self._own_state().keys()
        if state.keys() != wanted:
            raise ValueError(
                f"the state_dict of {type(self).__name__} has the keys "
                f"{sorted(state, key=repr)}, wanted {sorted(wanted)}"
            )
        trial = copy.copy(self)
        trial.__dict__.update(state)
        trial._check()
        trial.last_epoch = integer("last_epoch", trial.last_epoch, -1)
        for name in state.keys() & {"base_lrs", "_last_lr"}:
            setattr(trial, name, per_group(name, state[name], self.optimizer, FINITE))
        new = {name: trial.__dict__[name] for name in wanted}
        loading.add(partial(self.__dict__.update, new))

    def _dicts(self) -> list[State]:
        """The live dicts that hold what this scheduler is."""
        return [self.__dict__]


def plan_load(scheduler: Any, state: Any, loading: Loading) -> None:
    """Leave to `loading` what gives a scheduler this state, one of ours or a user's own."""
    method = getattr(scheduler.load_state_dict, "__func__", None)
    if method is LRScheduler.load_state_dict:
        scheduler._plan_load(state, loading)
        return
    before = copy.deepcopy(scheduler.state_dict())
    restore = restoring(held(scheduler, getattr(scheduler, "optimizer", None)))

    def load() -> None:
        try:
            scheduler.load_state_dict(state)
        except Exception as error:  # it may fail in any way at what it did not save
            raise ValueError(f"{type(scheduler).__name__} refuses its state: {error}") from error

    def undo() -> None:
        try:
            scheduler.load_state_dict(before)  # for what it holds in objects beside it
        finally:
            restore()

    loading.try_first(load, undo)
