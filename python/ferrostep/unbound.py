"""Optimizers whose parameters come with each call, and how those become known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ferrostep import functional, keys, tree
from ferrostep import state_dict as _state_dict
from ferrostep._native import Core
from ferrostep.params import Parameters, check_distinct, is_groups, read_params, read_some
from ferrostep.pending import Pending
from ferrostep.persistent import Persistent
from ferrostep.saved import LOADED, whole
from ferrostep.typing import Array, Params


class Unbound(Persistent):
    """What parameters an unbound optimizer has is known from its calls."""

    def _register_first(self, params: Any) -> tuple[Core, Pending | None]:
        """Return a core with the parameters of an unbound optimizer's first update.

        With it comes the state that it was loaded with, which it has taken over.
        """
        if is_groups(params):
            raise TypeError(
                "the params of update must be parameters, found param groups; make the optimizer "
                "with them, and call step()"
            )
        given, pending = read_some(params), self._pending
        if pending is None:
            return self._registered(given, None), None
        among = pending.among(given.names)
        if among is not pending:
            _tell_of_new(set(among.names or ()) - set(pending.names or ()))
        return self._registered(given, among), pending

    def _registered(self, given: Parameters, pending: Pending | None) -> Core:
        self._group_sizes()  # groups that were edited from outside are refused
        core = Core()
        self._start_core(core, self._settings)
        names, arrays = given.names, given.arrays
        core._add_group(self._groups[0], arrays, names, given.like)
        if pending is not None:
            _, steps, states, _ = _state_dict.read(
                pending.state_dict(self._groups), self._schema(), core, self._groups, names
            )
            core._load(steps, states, 0)
        return core

    def _register_key(self, name: str, param: Any) -> tuple[Core, Pending | None, Pending | None]:
        """Return a core with one parameter that comes by a key of its own, called `name`.

        With it come what was loaded, of which it has taken over its part, and what is left of that.
        """
        if param is None or isinstance(param, tree.CONTAINERS):
            raise TypeError(
                f"parameter {name!r} must be an array, found {type(param).__name__}; all "
                f"parameters of a tree come together in update()"
            )
        given, pending = read_params({name: param}), self._pending
        given = given._replace(names=[name])  # without a tree's quotes
        if pending is None:
            return self._registered(given, None), None, None
        own, left = pending.split(name)
        if own is None:
            _tell_of_new([name])
        return self._registered(given, own), pending, left

    def _register_more(self, params: Any) -> tuple[Core, list[str]] | None:
        """Return a core with those of a dict of parameters that are new, and the names of all.

        None if it is no dict of names that has all known ones and others.
        """
        known = self._names
        if known is None or not isinstance(params, Mapping) or len(params) <= len(known):
            return None
        given = read_params(params)
        if (
            given.names is None
            or given.names != list(params)
            or self._trees() != [dict.fromkeys(known, 0)]
        ):
            return None
        new = dict(zip(given.names, given.arrays, strict=True))
        if not new.keys() >= set(known):
            return None
        for name in known:
            del new[name]
        more = Parameters(list(new), list(new.values()), dict.fromkeys(new, 0))
        return self._registered(more, None), [*known, *new]

    def _by_name(self, params: Any) -> Any:
        """Return parameters by name that came by keys of their own."""
        numbers, names = self._numbers, self._names
        if numbers is None or names is None or not isinstance(params, Mapping):
            return params
        return {
            names[numbers[key]] if key in numbers else key: array for key, array in params.items()
        }

    def init_state(
        self, params: Params | Mapping[Any, Array] | None = None, *, step: int = 0
    ) -> None:
        """Make the state of all parameters that have none, as their first step would.

        For a look-ahead, which reads the velocity before the first gradient is known, or to go on
        from a step count of another program. `SGD` with `dampening` then takes the first gradient
        as any other, and not whole. Numbers that a rule remembers, such as `NAdam`'s
        ``mu_product``, begin as at the first step, whatever the count.

        Parameters
        ----------
        params
            The parameters of an unbound optimizer, as its first `update` or `updated` will bring
            them, or a dict of keys of `update_one`; None (the default) for one that has its
            parameters.
        step
            Default 0: how many steps they have behind them, from which bias corrections follow.

        Raises
        ------
        ValueError, TypeError
            If every parameter has state already; if `params` are missing, or not wanted; nothing
            has changed then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> p = np.ones(2)
        >>> opt = fs.Momentum([p], lr=0.5)
        >>> opt.init_state()
        >>> opt.state[0]["velocity"]
        array([0., 0.])
        """
        count = whole(step, "step", LOADED)
        known = bool(self._layouts())
        if not self._bound and known:
            raise ValueError(
                "init_state() comes before the first step of an unbound optimizer, found one that "
                "has begun; its later parameters begin when they come"
            )
        if params is None and not known:
            raise ValueError(
                "params must be given, since this optimizer has no parameters yet, found None; "
                "call init_state(params)"
            )
        if params is None:
            self._init_state(count)
            return
        if known:
            raise ValueError(
                "params must be left out, since this optimizer has its parameters, found "
                f"{type(params).__name__}; call init_state()"
            )
        if isinstance(params, Mapping) and not all(isinstance(key, str) for key in params):
            self._init_keys(params, count)
            return
        core, pending = self._register_first(functional.arrays(params))
        core._init_state(count)
        self._take_over(core, pending)

    def _init_keys(self, params: Mapping[Any, Any], count: int) -> None:
        """Make the state of parameters that will come one by one."""
        found = list(map(keys.plain, params))
        names = list(map(keys.name_of, found))
        check_distinct(names)
        pending = self._pending
        given = read_some(dict(zip(names, params.values(), strict=True)))
        if given.names is None or len(given.names) != len(names):
            raise TypeError("params must be a dict of keys and arrays, found a tree in it")
        core = self._registered(given._replace(names=names), pending and pending.among(names))
        core._init_state(count)
        self._take_over(core, pending, {key: i for i, key in enumerate(found)})


def _tell_of_new(names: Collection[str]) -> None:
    import logging  # which takes as long as the rest of the package

    logger = logging.getLogger("ferrostep")
    for name in sorted(names):
        logger.warning(
            "parameter %r begins with new state: it is not among those that were loaded", name
        )
