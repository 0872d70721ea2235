from collections.abc import Callable, Hashable, Sequence
from typing import Any, Never, NoReturn, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

from ferrostep.settings import Settings
from ferrostep.typing import Array, Clip, Gradient, Grads, HasArray, Measure, OnDevice, Params

__all__ = [
    "CUDA_CHUNK",
    "CUDA_FOLD",
    "CUDA_STATES",
    "CUDA_THREADS",
    "LANES",
    "LEAF",
    "RULES",
    "Core",
    "Rows",
    "Shown",
    "StepInfo",
    "__version__",
    "check_memory",
    "clip_factor",
    "cuda_norm_source",
    "cuda_source",
    "default_num_threads",
    "exp",
    "first_shared",
    "followed",
    "global_norm",
    "leaf_sums",
    "log",
    "norm_of_leaf_sums",
    "num_threads",
    "power",
    "real_power",
    "rule_measuring",
    "rule_memory",
    "rule_scalars",
    "rule_states",
    "set_local_num_threads",
    "set_num_threads",
    "set_simd_tier",
    "simd_tier",
    "simd_tiers",
    "step_tensors",
    "writable",
]

RULES: tuple[str, ...]
__version__: str

CUDA_CHUNK: int
CUDA_STATES: int
CUDA_THREADS: int
LEAF: int
LANES: int
CUDA_FOLD: int

def cuda_source(
    rule: str,
    options: dict[str, Any],
    param: str,
    grad: str,
    state: str | None = None,
    ndim: int = 1,
) -> str:
    """The update kernel of a rule with a group's options, for arrays of these types and a parameter of so many
    axes; the states' default is the compute type."""

def cuda_norm_source() -> str:
    """The kernels of the gradients' norm and of the search for what is not finite."""

def rule_scalars(
    rule: str,
    options: dict[str, Any],
    param: str,
    t: int,
    fresh: bool,
    grad_scale: float,
    memory: dict[str, float] | None = None,
    sums: tuple[float, float] | None = None,
) -> tuple[bytes, dict[str, float]]:
    """The bytes of an update kernel's `Scalars` at step `t`, and what is remembered after it, of a rule that
    measures with its sums; `fresh` as in `rules::Clock`. Without sums they are those of the terms."""

def rule_measuring(
    rule: str,
    options: dict[str, Any],
    param: str,
    t: int,
    fresh: bool,
    memory: dict[str, float],
) -> tuple[int, int, bytes] | None:
    """What an update kernel of a rule that measures takes for itself: how many sums, the bytes of each
    tensor's scalars, and those of the scalars that they follow from, at step `t`. None of other rules."""

def rule_memory(rule: str, options: dict[str, Any]) -> list[tuple[str, float]]:
    """The numbers that a rule remembers: names, and the values they start with."""

def check_memory(rule: str, options: dict[str, Any], numbers: dict[str, float], label: str) -> None:
    """Refuses numbers that a rule cannot have come to remember, of a parameter that errors call `label`."""

def rule_states(
    rule: str, options: dict[str, Any], shape: Sequence[int]
) -> list[tuple[str, float, tuple[int, ...]]]:
    """The state arrays of a rule beside a parameter of this shape: names, first values, shapes."""

def first_shared(
    arrays: Sequence[tuple[int, int, Sequence[int], Sequence[int]]],
) -> tuple[int, int] | None:
    """The numbers of the first two arrays that share memory."""

def followed(
    step: Callable[[], StepInfo],
    prepared: list[Core],
    then: Callable[[], object] | None,
    always: Callable[[], object] | None,
) -> StepInfo:
    """Calls `step`. If there was a step, commits what these optimizers have prepared, in their order, and
    calls `then`; if it was left out, they abandon it; and both ways it calls `always`. An error of the
    step is all there is to it. The functions are to run no Python code: so no signal's handler comes in
    between."""

def step_tensors(
    core: Core,
    groups: list[dict[str, Any]],
    tensors: list[Any],
    arrays: list[Any],
    grad_scale: float | None = None,
) -> list[Any] | None:
    """Steps with the gradients that the tensors have, and returns those tensors that have one. None, and
    nothing done, if Python code has to look: if `groups` have others than `tensors`, if one is not where
    its array is, or if a gradient is sparse or not in host memory."""

def global_norm(arrays: Sequence[Any], labels: list[str]) -> float:
    """The square root of the sum of squares of all elements, None counting as empty."""

def leaf_sums(arrays: Sequence[Any], labels: list[str]) -> list[bytes]:
    """By array, the bytes of the float64 sums of squares of its leaves; of None, none."""

def norm_of_leaf_sums(sums: bytes) -> float:
    """The norm from the bytes of the sums of all leaves."""

def writable(arrays: list[Any], labels: list[str]) -> list[NDArray[Any]]:
    """The arrays without None, checked to be writable where they lie and to share no memory."""

def clip_factor(norm: float, max_norm: float) -> float:
    """What arrays of this norm are multiplied by."""

def power(beta: float, t: int) -> float:
    """`beta**t`, rounded to nearest, the same on every platform."""

def real_power(x: float, y: float) -> float:
    """`x**y` as C's `pow`, less than 1 ULP off, the same on every platform."""

def exp(x: float) -> float:
    """`e**x`, less than 1 ULP off, the same on every platform."""

def log(x: float) -> float:
    """The natural logarithm, less than 1 ULP off, the same on every platform."""

def simd_tiers() -> list[str]:
    """The SIMD tiers that this machine has, narrowest first."""

def simd_tier() -> str:
    """The SIMD tier in use."""

def set_simd_tier(name: str) -> None:
    """Uses another SIMD tier from now on: for tests."""

def default_num_threads() -> int:
    """The number of threads that affinity and cgroup leave us."""

def num_threads() -> int:
    """The number of threads that a step of the calling thread uses."""

def set_num_threads(n: int) -> None:
    """Sets the number for the process."""

def set_local_num_threads(n: int | None) -> int | None:
    """Sets or lifts the number of the calling thread, and returns what it was."""

@final
class Rows:
    """The gradient of some rows of a parameter, for tables of which a step uses few.

    ``values[i]`` is the gradient of row ``indices[i]`` of the parameter's first axis. Values of a row
    that occurs more than once are added up first, in order, in the type that the parameter is computed
    in. The step then touches these rows of the parameter and of its state and no others, which keep
    their values: no momentum moves them, no average of theirs decays, and weight decay spares them.
    The step count is the parameter's, as in torch's ``SparseAdam``.

    So `SGD` without momentum and `Adagrad` (with `eps` above 0) do to the bit what they do with the
    whole gradient, which is 0 elsewhere, if there is no weight decay (and no -0.0 that `maximize` would
    turn into 0.0). ``max_norm`` takes the added-up values, in ascending order of the rows, as an array
    of their own. ``measure`` is of the whole parameter: it reads and keeps all of it.

    Parameters
    ----------
    indices : array_like of int, shape (n,)
        Rows of the parameter, from 0 on, in any order, repeated or not. They are copied.
    values : array, shape (n, ...)
        Of NumPy or CuPy, where the parameter is; each row has the shape of one of the parameter's, in
        float16, bfloat16, float32 or float64. Read when the step is made (or prepared), never written.

    Raises
    ------
    TypeError
        If `indices` are not integers (a mask, for instance), or `values` is no array.
    ValueError
        If `indices` are not one-dimensional, negative or not as many as `values` has rows. The step
        raises it before anything is written if the parameter has no such row, or rows of another shape.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> table = np.zeros((4, 2))
    >>> opt = fs.SGD([table], lr=1.0)
    >>> _ = opt.step([fs.Rows([3, 1, 3], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))])
    >>> table
    array([[ 0.,  0.],
           [-3., -4.],
           [ 0.,  0.],
           [-6., -8.]])"""
    def __new__(cls, indices: ArrayLike | OnDevice, values: HasArray | OnDevice) -> Self: ...
    @property
    def indices(self) -> NDArray[np.int64]:
        """A copy of the indices, int64."""
    @property
    def values(self) -> Any:
        """The array of the values."""
    def __reduce__(self) -> tuple[type[Self], tuple[NDArray[np.int64], Any]]: ...

@final
class StepInfo:
    """What a step did.

    It is no array: parameters are updated in place. What needs one (arithmetic, `numpy.asarray`,
    indexing, iteration) raises a TypeError that says so, and so does its truth: ask `applied`.

    Attributes
    ----------
    applied : bool
        Whether the parameters were updated: False if ``nonfinite="skip"`` left the step out, and of a
        call of `Accumulator` that only adds up.
    grad_norm : float or None
        The joint norm of all gradients before clipping, None without `max_norm`. Where the
        gradients lie on one device, to ask is to wait for it.
    nonfinite : str, int or None
        In a step that was left out, the name or position of the first parameter whose gradient is
        not finite; None if it was but the sum of their squares that overflowed.
    update_norm, param_norm : float, tuple of float or None
        The Euclidean norm of what the step added to the parameters, and of their old values: over all
        of them, or of each in their order. None without `measure`, and of a step that was left out.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> opt = fs.SGD({"w": np.zeros(2)}, lr=0.1, nonfinite="skip")
    >>> info = opt.step({"w": np.array([3.0, 4.0])}, max_norm=1.0)
    >>> info.as_dict()
    {'applied': True, 'grad_norm': 5.0, 'nonfinite': None, 'update_norm': None, 'param_norm': None}
    >>> opt.step({"w": np.array([np.inf, 4.0])})
    StepInfo(applied=False, grad_norm=None, nonfinite='w')"""
    def __new__(
        cls,
        applied: bool,
        grad_norm: float | None = None,
        nonfinite: str | int | None = None,
        update_norm: float | tuple[float, ...] | None = None,
        param_norm: float | tuple[float, ...] | None = None,
    ) -> Self: ...
    @property
    def applied(self) -> bool: ...
    @property
    def grad_norm(self) -> float | None: ...
    @property
    def nonfinite(self) -> str | int | None: ...
    @property
    def update_norm(self) -> float | tuple[float, ...] | None: ...
    @property
    def param_norm(self) -> float | tuple[float, ...] | None: ...
    def as_dict(self) -> dict[str, Any]:
        """Return the attributes by name."""
    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __bool__(self) -> NoReturn: ...
    # What is refused: nothing can be given to it, so that type checkers refuse it too.
    def __array__(self, *_args: Never, **_options: Never) -> NoReturn: ...
    __iter__ = __len__ = __getitem__ = __setitem__ = __contains__ = __array__
    __neg__ = __pos__ = __abs__ = __invert__ = __array__
    __int__ = __index__ = __float__ = __complex__ = __array__
    __lt__ = __le__ = __gt__ = __ge__ = __array__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __array__
    __matmul__ = __rmatmul__ = __truediv__ = __rtruediv__ = __array__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __array__
    __divmod__ = __rdivmod__ = __pow__ = __rpow__ = __array__
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __array__
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __array__

@final
class Shown:
    def __new__(
        cls,
        prepare: Callable[[], tuple[list[Any], list[Any], list[str]]],
        check: Callable[[], object],
    ) -> Self: ...
    @property
    def active(self) -> bool:
        """Whether the arrays show the other values now."""
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

_Container = tuple[Any, Sequence[str] | None, Sequence[Any], Sequence[int | str]]

@disjoint_base
class Core:
    def __new__(cls, *args: Any, **options: Any) -> Self: ...
    def _start(
        self,
        rule: str,
        read: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]],
        bounds: dict[str, tuple[float, float]],
        param_groups: list[dict[str, Any]],
        unbound: bool,
        nonfinite_error: type[Exception],
        rows_only: bool,
        settings: Settings,
    ) -> None:
        """Begins anew, without parameters and state."""
    def _prepare(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        norm: float | None = None,
    ) -> bool:
        """The first half of a step: all of it that can fail. `norm` is that of the gradients, where others
        have taken it (infinite or NaN, if they say so). False if the step is to be left out, since a
        gradient is not finite: to commit is to count that then. What is in the arrays may not be
        written until the step is committed or abandoned; all else that happens to them is found out."""
    def _commit(self) -> StepInfo:
        """The second half: nothing can fail any more, but that somebody has changed what it is of."""
    def _check_trained(self) -> None:
        """Refuses parameters that `_turn_all` has moved away, as a step does."""
    def _turn_all(self, moved: Core | None, numbers: Sequence[int], averaged: bool) -> None:
        """Commits what another optimizer has prepared for the parameters of these numbers, and then all
        parameters are away (`averaged`) or back. No signal's handler runs in between."""
    def _abandon(self) -> None:
        """Or none: as if the step had never been asked for."""
    def _set_number(self, name: str, value: Any, /) -> bool:
        """Sets an option of all groups to a number that can be judged alone. False, and nothing done, if
        Python has to judge it."""
    @property
    def _settings(self) -> Settings:
        """What can be set between steps, as it was set last."""
    def _set_settings(self, settings: Settings) -> None:
        """Goes by other settings from the next step on."""
    def _check_state_dtype(self, dtype: str | None) -> None:
        """Refuses a type of state that does not go with one of the parameters."""
    def _add_group(
        self,
        group: dict[str, Any],
        arrays: list[Any],
        names: Sequence[str] | None,
        like: Any = None,
        containers: Sequence[_Container] = ...,
        *,
        restored: bool = False,
    ) -> None:
        """Adds a group's parameters, or nothing if one of them is refused: with their tree, if they have
        names, and the containers to watch."""
    def _rebind(self, arrays: list[Any], containers: Sequence[_Container]) -> None:
        """Puts other arrays in the place of the parameters: all of them or none."""
    def _replace(self, i: int, given: Any, array: Any, index: bytes | None) -> None:
        """Puts an array in the place of a parameter, with rows of its state, or does nothing. `given`: what is
        to stand for it where the parameter came in; `index`: the old row of each new one, or -1, as
        int64."""
    def _remove_group(self, number: int, containers: Sequence[_Container]) -> None:
        """Takes out a group and its parameters; these containers are watched from now on."""
    def _trees(self) -> list[Any]:
        """The groups' trees; None of one whose parameters have no names."""
    def _check_containers(self) -> None:
        """Refuses what a step would refuse of them."""
    def _containers(self) -> list[_Container]:
        """What parameters were handed in by, and what it held."""
    def _watch(self, containers: Sequence[_Container]) -> None:
        """Watches these instead."""
    def step(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Update all parameters in place by one step, wholly or not at all.

        Parameters
        ----------
        grads
            The gradients in the structure of the parameters (of several groups of trees: a list of
            those), or in one dict of all names: never written; None skips a parameter, `Rows` are
            those of some rows of it. Arrays of any layout, float16, bfloat16, float32 or float64.
        grad_scale
            What every gradient is multiplied by, in the same pass over memory: 1/loss_scale, say.
            Finite and not 0; None (the default) leaves gradients as they are.
        max_norm
            Scale the gradients down so that their joint Euclidean norm, after `grad_scale`, is at
            most this (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063): by
            ``max_norm/(norm + 1e-6)`` where that is below 1. A NaN norm makes every parameter that
            has a gradient NaN (see `nonfinite` for other ways), an infinite one gives the factor 0.
            At least 0; ``inf`` only measures, whatever the norm. The norm costs one more pass that
            reads the gradients. None (the default) for no clipping.
        clip
            What `max_norm` bounds: "global" (the default), the joint norm, so that all gradients are
            scaled by one factor and keep their direction; or "parameter", each gradient's own norm, so
            that each has the factor ``max_norm/(norm + 1e-6)`` of its own where that is below 1, and a
            NaN reaches no other parameter. That is Keras' `clipnorm` and thinc's `grad_clip`, which add
            no 1e-6.
        measure
            None (the default), or "total" or "parameter": measure how far the step moves, over all
            parameters or of each. `update_norm` of the result is then the Euclidean norm of new minus
            old values (in the parameter's compute type), `param_norm` that of the old values: numbers,
            or tuples in the order of the parameters. Where arrays lie in C order it costs no further
            pass over memory, elsewhere, and beside `Rows`, a copy of the whole parameter.

        Returns
        -------
        StepInfo
            `applied` is False if ``nonfinite="skip"`` left the step out, for the gradient of
            `nonfinite`; `grad_norm` is the joint norm before clipping, None without `max_norm`;
            `update_norm` and `param_norm` are None without `measure` and of a step that was left out.

        Raises
        ------
        ValueError, TypeError
            If gradients, parameters, state or options are not as they must be; nothing has been
            written then.
        NonFiniteError
            With ``nonfinite="raise"``, naming the parameter.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> p = np.array([1.0, -2.0])
        >>> fs.SGD([p], lr=0.25).step([np.array([2.0, -4.0])])
        StepInfo(applied=True, grad_norm=None)
        >>> p
        array([ 0.5, -1. ])"""
    def update(
        self,
        params: Params,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Update `params`, given anew at each call: for an optimizer made without parameters.

        The first call of a key fixes its shape and dtype and makes its state. A dict may have more names
        later, each with a step count of its own, but no fewer. Otherwise as `step`.

        Parameters
        ----------
        params
            Arrays to update in place: an array, a list or tuple of arrays, a dict of names, or a tree
            of these.
        grads
            The gradients in the same structure, or in one dict of names.
        grad_scale, max_norm, clip, measure
            As in `step`.

        Returns
        -------
        StepInfo
            As `step`.

        Raises
        ------
        ValueError, TypeError, NonFiniteError
            As `step`; also if a key comes with other memory than at its first call: one key keeps one
            memory, the same array or a view of the same part of the same buffer. `rebind` and `reset`
            are the ways out.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> weights = {"w": np.array([1.0, -2.0])}
        >>> opt = fs.SGD(lr=0.25)
        >>> opt.update(weights, {"w": np.array([2.0, -4.0])})
        StepInfo(applied=True, grad_norm=None)
        >>> weights["w"]
        array([ 0.5, -1. ])"""
    def update_one(
        self,
        key: Hashable,
        param: Array,
        grad: Gradient | None,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Update one parameter in place, under a key of its own: for an optimizer made without parameters.

        For layers that update themselves. State and step count begin when a key first comes; options
        are those of the one group. One optimizer is used either through `update_one` or through
        `update` or `updated`.

        Parameters
        ----------
        key
            Whose state it is: anything that can be a key of a dict. A str, an int or a tuple of these if
            the state is to be saved. Two keys that print alike (3 and "3") are refused.
        param
            The array to update in place; one key keeps one memory, as in `update`.
        grad
            Its gradient; None skips it.
        grad_scale, max_norm, clip, measure
            As in `step`; `max_norm` bounds the norm of this gradient.

        Returns
        -------
        StepInfo
            As `step`.

        Raises
        ------
        ValueError, TypeError, NonFiniteError
            As `update`; a key whose first step fails is not there.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> opt = fs.Adam(lr=0.25)
        >>> w, b = np.ones(2), np.zeros(1)
        >>> info = opt.update_one(("dense", 1), w, np.array([2.0, -4.0]))
        >>> info = opt.update_one(("dense", 2), b, np.array([1.0]))
        >>> w.round(2)
        array([0.75, 1.25])
        >>> list(opt.state)
        [('dense', 1), ('dense', 2)]"""
    def updated(
        self,
        params: Any,
        grads: Any,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> Any:
        """Return the parameters after one step, in new arrays: call `reset` before a new run.

        State is kept by name or position and goes on with whatever parameters come next: nobody can
        see that they belong to another run. What comes is never written. An optimizer is used either
        through `updated` or through `update`. Each piece is copied to its new place and updated there
        while it is in the cache.

        Parameters
        ----------
        params
            An array, or lists, tuples and dicts of arrays; of the same names, shapes and dtypes at each
            call. A number, or a list or tuple of nothing but numbers, is one float64 array, and
            integer arrays become float64. Arrays of other libraries in host memory (JAX) give NumPy's.
        grads
            The gradients in the same structure; None for a parameter that stays as it is.
        grad_scale, max_norm, clip, measure
            As in `step`.

        Returns
        -------
        object
            New arrays in the structure of `params`, of the same dtypes and subclasses (but of a memmap
            a plain array), in the order of axes that `numpy.empty_like` gives. `last` says what the
            step did.

        Raises
        ------
        ValueError, TypeError, NonFiniteError
            As `step`; no state has changed then.

        Examples
        --------
        >>> import numpy as np, ferrostep as fs
        >>> opt = fs.SGD(lr=0.25)
        >>> w = np.array([1.0, -2.0])
        >>> opt.updated(w, np.array([2.0, -4.0]))
        array([ 0.5, -1. ])
        >>> w
        array([ 1., -2.])
        >>> opt.last
        StepInfo(applied=True, grad_norm=None)"""
    @property
    def last(self) -> StepInfo | None:
        """What the last call of `updated` did; None before it."""
    def _group_sizes(self) -> list[int]:
        """The number of parameters of each group; refuses groups that were edited from outside."""
    def _parameters(self) -> list[Any]:
        """The parameters' arrays; None for those of an unbound optimizer, which holds none."""
    def _layouts(self) -> list[tuple[tuple[int, ...], str]]:
        """The parameters' shapes and the names of their types."""
    def _state(self, index: int) -> dict[str, Any] | None:
        """One parameter's state, its live arrays; None before its first step."""
    def _states(self, copy: bool) -> list[dict[str, Any] | None]:
        """Every parameter's state, of one moment: the live arrays or copies."""
    def _new_states(self, index: int, wanted: Sequence[tuple[str, str]]) -> list[Any]:
        """New arrays for a parameter's state, made and checked and not kept: by name and type."""
    def _load(
        self,
        steps: Sequence[int | None],
        arrays: Sequence[dict[str, Any] | None],
        skipped: int,
        options: Sequence[dict[str, Any]] = ...,
    ) -> None:
        """Replaces every parameter's state, the count of skipped steps, and options group by group,
        or nothing if one array is refused."""
    def _snapshot(
        self, copy: bool
    ) -> tuple[list[dict[str, Any] | None], list[int], list[str] | None, int]:
        """The states, live or copied, the sizes of the groups, the parameters' names and the count of
        skipped steps: all of one moment."""
    def _init_state(self, step: int) -> None:
        """Makes the state of all parameters that have none, as if they had had `step` steps."""
    def _take_over(self, other: Core, pending: Any, numbers: dict[Any, int] | None = None) -> None:
        """Takes over the parameters and the state of another, for an unbound optimizer that has none: with
        them the other has taken over what was `pending`. `numbers`: by the
        keys of those that will come one by one."""
    def _await(self, pending: Any, skipped: int, options: Sequence[dict[str, Any]] = ...) -> None:
        """Begins an unbound optimizer anew: its parameters are those of its next call, with the state in
        `pending`. No signal's handler can run in between."""
    @property
    def _pending(self) -> Any:
        """What was loaded before there were parameters."""
    @property
    def _numbers(self) -> dict[Any, int] | None:
        """The keys of parameters that come one by one, in their order; None of others."""
    @property
    def _names(self) -> list[str] | None:
        """The parameters' names, None if they have none."""
    @property
    def _skipped(self) -> int: ...
