"""What averages share: arrays of their own beside the parameters, updated, applied and saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ferrostep._native import Shown
from ferrostep.averages.arrays import as_value, average_of, copied, viewed, writing
from ferrostep.differences import of_names, refuse
from ferrostep.loading import Action, at_once
from ferrostep.optimizer import Optimizer
from ferrostep.options import StateDtype, stored_dtype
from ferrostep.params import is_groups, labels
from ferrostep.saved import LOADED, whole

#: What a state dict has.
KEYS = ("updates", "averages", "options")


class Average:
    """What `EMA` and `Mean` share."""

    _RULE: ClassVar[type[Optimizer]]
    #: The options of the rule that are this class's.
    _OPTIONS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Any, dtype: StateDtype, **options: Any) -> None:
        if params is None:
            raise TypeError("params must be arrays to average, found None")
        # Held and checked as by an optimizer, which is never stepped.
        self._live = self._RULE(_without_options(params))
        found = stored_dtype("dtype", dtype)
        averages = [average_of(array, found) for array in self._live._parameters()]
        names = self._live._names
        # The parameters of this one are the averages, and its gradients the parameters.
        self._rule = self._RULE(
            iter(averages if names is None else zip(names, averages, strict=True)), **options
        )
        self._begin()

    def _begin(self) -> None:
        self._given: Any = None
        self._shown = Shown(partial(_to_show, self._live, self._rule), self._live._check_containers)

    @property
    def updates(self) -> int:
        """How many updates there have been."""
        state = self._rule._state(0)
        return 0 if state is None else int(state["step"])

    @property
    def averages(self) -> dict[int | str, Any]:
        """The averages by position, or by name where parameters have names: the live arrays.

        Before the first update they are what the parameters were at construction.
        """
        return dict(zip(self._rule._keys(), self._rule._parameters(), strict=True))

    def update(self) -> None:
        """Take the parameters, as they are now, into the averages: all of them or none.

        One pass over memory, 12 bytes for each float32.

        Raises
        ------
        ValueError, TypeError
            If a parameter was replaced in your list or dict (`rebind` goes on with it) or has
            another shape; or within `applied`. Nothing has changed then.
        """
        if self._shown.active:
            raise ValueError(
                "the averages are applied, and an update would average averages; leave the block "
                "of applied() first"
            )
        self._live._check_containers()
        if self._given is None:
            arrays, names = self._live._parameters(), self._live._names
            self._given = arrays if names is None else dict(zip(names, arrays, strict=True))
        try:
            self._rule.step(self._given)
        except (ValueError, TypeError):
            _check_shapes(self._live, self._rule)  # where the rule tells of a gradient's
            raise

    def applied(self) -> AbstractContextManager[None]:
        """Return a context in which the parameters have the values of their averages.

        At its end they get their own values back, bit by bit, also after an exception or Ctrl-C:
        all parameters change or none does. What is written to them within is lost. It holds a copy
        of the parameters meanwhile.

        Raises
        ------
        ValueError
            When it is entered: if there was no update yet, if it is entered already, or if a
            parameter was replaced, is read-only or has another shape. Nothing has changed then.
            At its end: if a parameter was replaced within, in the list or dict that it came in; the
            old array then has its own values back, and the new one what it was given.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> p = np.array([1.0, 5.0])
        >>> mean = fs.averages.Mean(p)
        >>> mean.update()
        >>> p += 2
        >>> mean.update()
        >>> with mean.applied():
        ...     print(p)
        [2. 6.]
        >>> p
        array([3., 7.])
        """
        return self._shown

    def rebind(self, params: Any) -> None:
        """Go on with other arrays in the place of the parameters, as `Optimizer.rebind` does.

        Raises
        ------
        ValueError, TypeError
            If an array does not fit; nothing has changed then.
        """
        self._given = None
        self._live.rebind(_without_options(params))

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Return "updates", "averages" by position or name, and "options".

        Parameters
        ----------
        copy
            True (the default): a snapshot. False: the live arrays, which move on with each update.
        """
        options = self._rule.param_groups[0]
        return {
            "updates": self.updates,
            "averages": {k: copied(e) if copy else e for k, e in self.averages.items()},
            "options": {name: options[name] for name in self._OPTIONS},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` has returned: all of it or nothing. The arrays are copied.

        Raises
        ------
        ValueError
            If keys, shapes, dtypes, the count or options do not fit: all that does not is listed.
        """
        refuse(self._differences(state_dict))
        at_once(self._plan_load(state_dict))()

    def _differences(self, saved: Any) -> Iterator[str]:
        """Say all that keeps a state dict from being loaded; nothing is read of arrays' values."""
        if not isinstance(saved, Mapping) or set(saved) != set(KEYS):
            keys = list(saved) if isinstance(saved, Mapping) else type(saved).__name__
            yield f"the state dict of an average must be a dict of {KEYS}, found {keys!r:.200}"
            return
        try:
            whole(saved["updates"], "the state dict's updates", LOADED)
        except ValueError as error:
            yield str(error)
        for part in ("averages", "options"):
            if not isinstance(saved[part], Mapping):
                yield f"the state dict's {part} must be a dict, found {saved[part]!r:.200}"
                return
        options, checks = saved["options"], self._RULE._schema().checks
        yield from of_names("the state dict", options, self._OPTIONS, "option")
        for name in [name for name in self._OPTIONS if name in options]:
            try:
                checks[name](name, options[name])
            except ValueError as error:
                yield str(error)
        there = saved["averages"]
        yield from of_names("the state dict", there, self.averages, "average")
        for key, average in self.averages.items():
            if key in there:
                found, wanted = _layout(there[key]), _layout(average)
                if found != wanted:
                    yield (
                        f"average {key!r} has shape {found[0]} and dtype {found[1]} in the state "
                        f"dict, wanted {wanted[0]} and {wanted[1]}"
                    )

    def _plan_load(self, saved: Mapping[str, Any]) -> list[Action]:
        """Return what takes over a state dict that fits; what can fail is done now."""
        averages, checks = self.averages, self._RULE._schema().checks
        updates = whole(saved["updates"], "the state dict's updates")
        options = {name: checks[name](name, saved["options"][name]) for name in self._OPTIONS}
        values = [writing(average, saved["averages"][key]) for key, average in averages.items()]
        steps, states = [updates] * len(values), [None] * len(values)
        return [partial(self._rule._load, steps, states, 0, [options]), *values]

    def __getstate__(self) -> dict[str, Any]:
        if self._shown.active:
            raise ValueError("an average cannot be copied or pickled while it is applied")
        return {"live": self._live, "rule": self._rule}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self._live, self._rule = saved["live"], saved["rule"]
        self._begin()

    def __repr__(self) -> str:
        options = {name: self._rule.param_groups[0][name] for name in self._OPTIONS}
        told = {**options, "parameters": len(self._rule._parameters()), "updates": self.updates}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in told.items())})"


def _without_options(params: Any) -> Any:
    """Return an optimizer's groups with their parameters alone; anything else as it is."""
    if not is_groups(params):
        return params
    wanted = ("params", "param_names")
    return [{key: group[key] for key in wanted if key in group} for group in params]


def _layout(array: Any) -> tuple[Any, str]:
    dtype = getattr(array, "dtype", None)
    return getattr(array, "shape", None), str(getattr(dtype, "name", dtype))


def _check_shapes(live: Optimizer, rule: Optimizer) -> list[str]:
    """Refuse a parameter that was given another shape; return what errors call them."""
    arrays, averages = live._parameters(), rule._parameters()
    named = labels(live._names, 0, len(arrays))
    for label, p, e in zip(named, arrays, averages, strict=True):
        if p.shape != e.shape:
            raise ValueError(
                f"{label} has shape {p.shape}, wanted {e.shape} as its average has; "
                "make new averages for parameters of other shapes"
            ) from None
    return named


def _to_show(live: Optimizer, rule: Optimizer) -> tuple[list[Any], list[Any], list[str]]:
    """Return the parameters, the values that they are to show, and what errors call them."""
    if rule._state(0) is None:
        raise ValueError("there is no average yet to be applied; call update() first")
    live._check_containers()
    named, arrays, averages = _check_shapes(live, rule), live._parameters(), rule._parameters()
    with np.errstate(over="ignore"):
        values = [as_value(e, p) for p, e in zip(arrays, averages, strict=True)]
    return [viewed(p) for p in arrays], values, named
