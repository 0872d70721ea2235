"""Types for annotations of your own: what ferrostep takes, and the words that it knows.

Examples
--------
>>> import numpy as np, ferrostep as fs
>>> from ferrostep.typing import Grads, Params
>>> def train(params: Params, grads: Grads) -> fs.StepInfo:
...     return fs.SGD(params, lr=0.1).step(grads)
>>> train({"w": np.ones(2)}, {"w": np.ones(2)}).applied
True
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from typing import Any, Literal, Protocol, Required, TypeAlias, TypedDict, TypeVar

import numpy as np

__all__ = [
    "AdjustLr",
    "Array",
    "Backend",
    "Clip",
    "Compare",
    "Form",
    "Grads",
    "Measure",
    "Missing",
    "NonFinite",
    "ParamGroup",
    "Params",
    "StateDtype",
    "StateFactory",
]

# Words.

NonFinite = Literal["propagate", "raise", "skip"]
Backend = Literal["native", "reference"]
Clip = Literal["global", "parameter"]
AdjustLr = Literal["original", "match_rms_adamw", "spectral_unclamped"]
Compare = Literal["gradient", "velocity", "sign"]
Form = Literal["torch", "original"]
Measure = Literal["total", "parameter"]
Missing = Literal["raise", "skip"]
StateWord = Literal["float16", "bfloat16", "float32", "float64"]
StateDtype = StateWord | type[Any] | np.dtype[Any] | None

#: ``factory(key, name, like, dtype)`` returns the array for one parameter's state.
StateFactory = Callable[[int | str, str, Any, np.dtype[Any]], Any]

# Structures.

_T_co = TypeVar("_T_co", covariant=True)


class OnDevice(Protocol):
    """An array of CuPy's, or of another library's, whose memory is on a device."""

    @property
    def __cuda_array_interface__(self) -> Any: ...


class HasArray(Protocol):
    """What `numpy.asarray` makes an array of: NumPy's own arrays and scalars, JAX's, torch's."""

    def __array__(self) -> Any: ...


class SomeRows(Protocol):
    """`ferrostep.Rows`."""

    @property
    def indices(self) -> np.ndarray[Any, np.dtype[np.int64]]: ...
    @property
    def values(self) -> Any: ...


class Nested(Protocol[_T_co]):
    """A list or tuple. Text would be a `Sequence` of text without end, and does not look for
    every object in itself; a dict has no `index`.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __contains__(self, item: object, /) -> bool: ...
    @property
    def index(self) -> object: ...


#: What a step can write to.
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]] | OnDevice
Gradient: TypeAlias = HasArray | OnDevice | SomeRows | float

_ParamTree: TypeAlias = Array | Nested["_ParamTree"] | Mapping[str, "_ParamTree"] | None
_GradTree: TypeAlias = Gradient | Nested["_GradTree"] | Mapping[str, "_GradTree"] | None

# Only one of these fits a list, and one a dict: so mypy knows what is wanted within.
#: An array; lists, tuples and dicts of arrays, in each other too; names with arrays; an iterator;
#: or param groups.
Params: TypeAlias = (
    Array
    | Nested[_ParamTree | tuple[str, Array] | Mapping[str, Any]]
    | Mapping[str, _ParamTree]
    | Iterator[Array | tuple[str, Array]]
    | ValuesView[Array]
)
#: The gradients in the structure of the parameters; None in the place of an array skips it.
Grads: TypeAlias = (
    Gradient
    | Nested[_GradTree]
    | Mapping[str, _GradTree]
    | Iterator[Gradient | None]
    | ValuesView[Gradient | None]
)


class ParamGroup(TypedDict, total=False):
    """Parameters with options of their own; what is left out is as the optimizer was told."""

    params: Required[Params]
    param_names: Sequence[str]
    name: str
    adjust_lr: AdjustLr
    alpha: float
    amsgrad: bool
    average: bool
    beta: float
    beta2_decay: float
    beta3: float | None
    betas: tuple[float, float] | tuple[float, float, float]
    bias_correction: bool
    cautious: bool
    centered: bool
    clip_exponent: float | None
    compare: Compare
    d: float
    d0: float
    d_coef: float
    dampening: float
    decoupled_weight_decay: bool
    eps: float | tuple[float | None, float]
    eps_inside_max: bool
    eps_inside_sqrt: bool
    eps_root: float
    epsilon_hat: bool
    etas: tuple[float, float]
    flush_subnormals: bool
    form: Form
    growth_rate: float
    initial_accumulator_value: float
    l1: float
    l2: float
    l2_shrinkage: float
    lambd: float
    lr: float
    lr_decay: float
    max_gain: float
    maximize: bool
    min_gain: float
    momentum: float
    momentum_decay: float
    nesterov: bool
    no_prox: bool
    r: float
    relative_step: bool
    rho: float
    safeguard_warmup: bool
    scale_parameter: bool
    state_dtype: StateDtype
    step_sizes: tuple[float, float]
    t0: float
    t_alpha: float | None
    t_beta3: float | None
    trust_clip: bool
    trust_coefficient: float
    warmup_steps: float
    weight_decay: float
    weight_lr_power: float
