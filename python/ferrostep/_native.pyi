from collections.abc import Callable, Sequence
from typing import Any, Never, NoReturn, Self, final

from numpy.typing import NDArray
from typing_extensions import disjoint_base

from ferrostep.settings import Settings
from ferrostep.typing import Clip, Grads, Measure, Params

__all__ = [
    "CUDA_CHUNK",
    "CUDA_FOLD",
    "CUDA_THREADS",
    "LANES",
    "LEAF",
    "RULES",
    "Core",
    "Shown",
    "StepInfo",
    "__version__",
    "clip_factor",
    "cuda_norm_source",
    "cuda_source",
    "default_num_threads",
    "first_shared",
    "global_norm",
    "leaf_sums",
    "norm_of_leaf_sums",
    "num_threads",
    "power",
    "rule_scalars",
    "rule_states",
    "set_local_num_threads",
    "set_num_threads",
    "set_simd_tier",
    "simd_tier",
    "simd_tiers",
    "writable",
]

RULES: tuple[str, ...]
__version__: str

CUDA_CHUNK: int
CUDA_THREADS: int
LEAF: int
LANES: int
CUDA_FOLD: int

def cuda_source(
    rule: str, options: dict[str, Any], param: str, grad: str, state: str | None = None
) -> str: ...
def cuda_norm_source() -> str: ...
def rule_scalars(
    rule: str, options: dict[str, Any], param: str, t: int, fresh: bool, grad_scale: float
) -> bytes: ...
def rule_states(rule: str, options: dict[str, Any]) -> list[tuple[str, float]]: ...
def first_shared(
    arrays: Sequence[tuple[int, int, Sequence[int], Sequence[int]]],
) -> tuple[int, int] | None: ...
def global_norm(arrays: Sequence[Any], labels: list[str]) -> float: ...
def leaf_sums(arrays: Sequence[Any], labels: list[str]) -> list[bytes]: ...
def norm_of_leaf_sums(sums: bytes) -> float: ...
def writable(arrays: list[Any], labels: list[str]) -> list[NDArray[Any]]: ...
def clip_factor(norm: float, max_norm: float) -> float: ...
def power(beta: float, t: int) -> float: ...
def simd_tiers() -> list[str]: ...
def simd_tier() -> str: ...
def set_simd_tier(name: str) -> None: ...
def default_num_threads() -> int: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def set_local_num_threads(n: int | None) -> int | None: ...

@final
class StepInfo:
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
    def as_dict(self) -> dict[str, Any]: ...
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
    def __new__(cls, prepare: Callable[[], tuple[list[Any], list[Any], list[str]]]) -> Self: ...
    @property
    def active(self) -> bool: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *_error: object) -> None: ...

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
        settings: Settings,
    ) -> None: ...
    def _prepare(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        norm: float | None = None,
    ) -> bool: ...
    def _commit(self) -> StepInfo: ...
    def _abandon(self) -> None: ...
    @property
    def _settings(self) -> Settings: ...
    def _set_settings(self, settings: Settings) -> None: ...
    def _check_state_dtype(self, dtype: str | None) -> None: ...
    def _add_group(
        self,
        group: dict[str, Any],
        arrays: list[Any],
        names: Sequence[str] | None,
        like: Any = None,
        containers: Sequence[_Container] = ...,
        *,
        restored: bool = False,
    ) -> None: ...
    def _rebind(self, arrays: list[Any], containers: Sequence[_Container]) -> None: ...
    def _trees(self) -> list[Any]: ...
    def _check_containers(self) -> None: ...
    def _containers(self) -> list[_Container]: ...
    def _watch(self, containers: Sequence[_Container]) -> None: ...
    def step(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo: ...
    def update(
        self,
        params: Params,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo: ...
    def updated(
        self,
        params: Any,
        grads: Any,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> Any: ...
    @property
    def last(self) -> StepInfo | None: ...
    def _group_sizes(self) -> list[int]: ...
    def _parameters(self) -> list[Any]: ...
    def _layouts(self) -> list[tuple[tuple[int, ...], str]]: ...
    def _state(self, index: int) -> dict[str, Any] | None: ...
    def _states(self, copy: bool) -> list[dict[str, Any] | None]: ...
    def _new_states(self, index: int, wanted: Sequence[tuple[str, str]]) -> list[Any]: ...
    def _load(
        self,
        steps: Sequence[int | None],
        arrays: Sequence[dict[str, Any] | None],
        skipped: int,
        options: Sequence[dict[str, Any]] = ...,
    ) -> None: ...
    def _await(
        self, pending: Any, skipped: int, options: Sequence[dict[str, Any]] = ...
    ) -> None: ...
    @property
    def _pending(self) -> Any: ...
    @property
    def _names(self) -> list[str] | None: ...
    @property
    def _skipped(self) -> int: ...
