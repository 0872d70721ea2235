"""The base class of all optimizers: parameters in groups, and steps. It knows no formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar
from typing import Any

from ferrostep.changing import Changing
from ferrostep.declared import ClassSignature
from ferrostep.groups import check_group, read_names
from ferrostep.matched import read_again
from ferrostep.options import NonNegative, StateDtype, read_scaling, read_settings
from ferrostep.params import MIXED, is_groups, read_some
from ferrostep.shown import show, show_html
from ferrostep.spellings import hint
from ferrostep.typing import Array, Backend, Missing, NonFinite, Params, StateFactory

#: Says in the constructor that the class's own learning rate is meant.
_OF_THE_CLASS: Any = object()


class Optimizer(Changing):
    """What all optimizers share; use one of its subclasses.

    Parameters
    ----------
    params
        float32, float64, float16 or bfloat16 (ml_dtypes) arrays of any shape and layout, updated
        in place; the last two are computed in float32. An array, an iterable of arrays, a dict of
        names, a tree (lists, tuples and dicts in each other: see `ferrostep.tree`), or param
        groups: dicts with "params" (any of these) and options of their own. None makes an unbound
        optimizer, whose `update` takes parameters and gradients.
    weight_decay
        Default 0.0, finite and >= 0; added to the gradient, as ``g + weight_decay*p``.
    decoupled_weight_decay
        Default False; True: ``p *= 1 - lr*weight_decay`` before the step instead.
    maximize
        Default False; True: steps go up the gradient.
    flush_subnormals
        Default False; True: subnormal state is stored as 0.
    state_dtype
        Default None: state is float64 for float64 parameters, else float32. "float16" or
        "bfloat16": half the memory and traffic. State that exists already keeps its type.
    nonfinite
        What a gradient that is infinite or NaN does: "propagate" (default) into the parameters;
        "raise" NonFiniteError; "skip" the step, as if it had never been asked for, and count it in
        `skipped_steps`.
    backend
        Default None or "native": the Rust core for NumPy arrays, CUDA for CuPy's; "reference": the
        formulas in NumPy.
    state_factory
        Default None, or what makes state arrays: see `MemmapState`.
    missing
        What a name does that is not among a dict of gradients: "raise" (default), or "skip" its
        parameter, as None in its place does. One that got none in 100 steps is told of once, by
        ``logging.getLogger("ferrostep")``. A name that no parameter has is always an error.

    Each option is a property over all groups: ``opt.lr`` is the one value that they have, or a
    ValueError where they differ, and ``opt.lr = 0.01`` sets it in all of them, checked; what a
    group that is added later begins with stays in `defaults`. `nonfinite`, `backend`,
    `state_factory` and `missing` are no group's, and can be set between steps too.

    A subclass has other defaults where it says so, with a type: ``momentum: float = 0.9``.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array of its
        own memory.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> opt = fs.Adam({"w": np.ones((2, 3)), "b": np.ones(3, np.float32)}, nonfinite="skip")
    >>> info = opt.step({"w": np.ones((2, 3)), "b": None})
    >>> opt  # the learning rate, options that are not the defaults, parameters, state
    Adam(lr=0.001, nonfinite='skip'): 2 parameters, 96 bytes of state
      'w': float64 (2, 3), step 1, 96 bytes of state
      'b': float32 (3,), no step yet
    """

    params: InitVar[Params | None] = None
    _: KW_ONLY
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    maximize: bool = False
    flush_subnormals: bool = False
    state_dtype: StateDtype = None
    nonfinite: NonFinite = "propagate"
    backend: Backend | None = None
    state_factory: StateFactory | None = None
    missing: Missing = "raise"

    __signature__ = ClassSignature()

    def __init__(
        self, params: Params | None = None, lr: Any = _OF_THE_CLASS, *more: Any, **options: Any
    ) -> None:
        schema = self._schema()
        if more:  # as Python says it, but of the class that was called
            raise TypeError(
                f"{schema.name}.__init__() takes from 1 to 3 positional arguments "
                f"but {3 + len(more)} were given; options other than lr go by name"
            )
        if not schema.rule:
            raise TypeError(f"{schema.name} has no rule; use one of its subclasses, such as Adam")
        for name in options:
            if name not in schema.fields:
                raise TypeError(
                    f"{schema.name}.__init__() got an unexpected keyword argument {name!r}"
                    f"{hint(name, schema.fields)}"
                )
        given = {**schema.defaults, **options}
        if lr is not _OF_THE_CLASS:
            given["lr"] = lr
        chosen = ("nonfinite", "backend", "state_factory", "missing")
        settings = read_settings(*map(given.pop, chosen))
        self._defaults = schema.read(given)
        self._begin(settings, bound=params is not None)
        if params is None:
            self._groups.append({"params": [], **self._defaults})
            return
        groups: Any = params if is_groups(params) else [{"params": params}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; what `group` leaves out is the default."""
        if not self._bound:
            raise ValueError("this optimizer is unbound; give parameters to update()")
        start = sum(self._group_sizes())  # what was edited from outside is not added to
        schema = self._schema()
        check_group(group, schema.checks, schema.name)
        given = read_some(group["params"])
        arrays = given.arrays
        names = read_names(given.names, group, len(arrays), self._names or ())
        if self._groups and (names is None) != (self._names is None):
            raise ValueError(MIXED)
        made = {**self._defaults, **group, "params": list(arrays)}
        if names is not None:
            made["param_names"] = names
        schema.read(made)
        like = names and dict.fromkeys(names, 0) if given.names is None else given.like
        containers = given.numbered(range(start, start + len(arrays)))
        self._add_group(made, arrays, names, like, containers)

    #: The core asks for this where a step's scaling is no plain number.
    _read_scaling = staticmethod(read_scaling)

    def rebind(self, params: Params | Mapping[Any, Array]) -> None:
        """Go on with other arrays in the place of the parameters, and the same state.

        For a model whose arrays were replaced on purpose: unpickled, moved to shared memory, or
        assigned anew. A bound optimizer then also watches the list or dict that they come in.

        Parameters
        ----------
        params
            Arrays of the same shapes, dtypes and places (host or device), in the structure of the
            parameters: a list in the order of the groups, a dict or tree of the same names, one
            array, or param groups.

        Raises
        ------
        ValueError, TypeError
            If an array does not fit, is read-only, or shares memory with another or with state; no
            parameter has been exchanged then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> weights = {"w": np.zeros(2)}
        >>> opt = fs.Momentum(weights, lr=0.5, momentum=0.5)
        >>> info = opt.step({"w": np.ones(2)})
        >>> weights = {"w": np.full(2, 8.0)}
        >>> opt.rebind(weights)
        >>> info = opt.step({"w": np.zeros(2)})
        >>> weights["w"]  # the velocity of the first step goes on
        array([7.75, 7.75])
        """
        if not self._parameters():
            raise ValueError("this optimizer has no parameters yet; give them to update()")
        self._rebind(*read_again(self._by_name(params), self._names))

    def reset(self) -> None:
        """Forget all state: the next step is the first. Options stay, the learning rate among them.

        An unbound optimizer forgets its parameters too: the next `update` may bring others.
        """
        if not self._bound:
            self._await(None, 0)
            return
        count = len(self._parameters())
        self._load([None] * count, [None] * count, 0)

    def __repr__(self) -> str:
        return show(self)

    def _repr_html_(self) -> str:
        return show_html(self)
