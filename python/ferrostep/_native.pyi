from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Self, final

from numpy.typing import NDArray
from typing_extensions import disjoint_base

__all__ = [
    "CUDA_CHUNK",
    "CUDA_FOLD",
    "CUDA_LANES",
    "CUDA_LEAF",
    "CUDA_THREADS",
    "RULES",
    "Core",
    "StepInfo",
    "clip_factor",
    "cuda_norm_source",
    "cuda_scalars",
    "cuda_source",
    "cuda_states",
    "default_num_threads",
    "global_norm",
    "num_threads",
    "power",
    "set_local_num_threads",
    "set_num_threads",
    "set_simd_tier",
    "simd_tier",
    "simd_tiers",
    "writable",
]

RULES: tuple[str, ...]

CUDA_CHUNK: int
CUDA_THREADS: int
CUDA_LEAF: int
CUDA_LANES: int
CUDA_FOLD: int

def cuda_source(
    rule: str, options: dict[str, Any], param: str, grad: str, state: str | None = None
) -> str: ...
def cuda_norm_source() -> str: ...
def cuda_scalars(
    rule: str, options: dict[str, Any], param: str, t: int, fresh: bool, grad_scale: float
) -> bytes: ...
def cuda_states(rule: str, options: dict[str, Any]) -> list[tuple[str, float]]: ...
def global_norm(arrays: Sequence[Any], labels: list[str]) -> float: ...
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
    @property
    def applied(self) -> bool: ...
    @property
    def grad_norm(self) -> float | None: ...

@disjoint_base
class Core:
    def __new__(cls, *args: Any, **options: Any) -> Self: ...
    def _start(
        self,
        rule: str,
        read: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]],
        param_groups: list[dict[str, Any]],
        unbound: bool,
        nonfinite: str,
        reference: ModuleType | None,
        nonfinite_error: type[Exception],
        state_factory: Callable[..., Any] | None,
    ) -> None: ...
    def _add_group(
        self,
        group: dict[str, Any],
        arrays: list[Any],
        labels: Sequence[str],
        names: Sequence[str] | None,
    ) -> None: ...
    def step(
        self, grads: Any, *, grad_scale: float | None = None, max_norm: float | None = None
    ) -> StepInfo: ...
    def update(
        self,
        params: Any,
        grads: Any,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
    ) -> StepInfo: ...
    def _group_sizes(self) -> list[int]: ...
    def _parameters(self) -> list[Any]: ...
    def _state(self, index: int) -> dict[str, Any] | None: ...
    def _new_states(self, index: int, wanted: Sequence[tuple[str, str]]) -> list[Any]: ...
    def _load(
        self,
        steps: Sequence[int | None],
        arrays: Sequence[dict[str, Any] | None],
        skipped: int,
        options: Sequence[dict[str, Any]] = ...,
    ) -> None: ...
    @property
    def _names(self) -> list[str] | None: ...
    @property
    def _skipped(self) -> int: ...
