"""Who is measured beside ferrostep. One file per library, loaded only when it is asked for."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from benchmarks.problem import Setting

#: Label of a peer, and where it is.
PEERS = {
    "ferrostep": "own:Ferrostep",
    "floor": "floors:Floor",
    "empty call": "floors:EmptyCall",
    "NumPy": "numpy_by_hand:Plain",
    "NumPy with buffers": "numpy_buffers:Buffers",
    "NumPy, rows": "numpy_rows:Rows",
    "NumPy, matrices": "numpy_matrices:Matrices",
    "numba": "numba_parallel:Parallel",
    "ferrostep in torch": "own_torch:InTorch",
    "torch": "torch_optim:Default",
    "torch foreach": "torch_optim:Foreach",
    "torch fused": "torch_optim:Fused",
    "optax": "optax_jit:Jit",
    "DeepSpeed": "deepspeed_cpu:CpuAdam",
    "scikit-learn": "sklearn_adam:Adam",
}
#: These are measured always: the others are compared with them.
OWN = ("ferrostep", "floor", "empty call", "ferrostep in torch")


class AbsentError(Exception):
    """The peer cannot be used here, and why."""


class NotOfferedError(Exception):
    """The peer has nothing that does what the problem asks for."""


@dataclass(frozen=True)
class Contender:
    """A peer with the arrays of a problem."""

    #: One step, synchronous: when it returns, the parameters are updated.
    step: Callable[[Any], object]
    #: What `step` is called with, in the peer's own form.
    grads: Any
    #: The parameters as they are now; None where no answer is computed.
    results: Callable[[], list[NDArray[Any]]] | None
    #: Makes the gradients of the next step, untimed; None: they stay.
    renew: Callable[[], object] | None = None


class Peer(Protocol):
    #: How far the parameters may be from ferrostep's after `answers.STEPS` steps; 0: equal.
    tolerance: float
    #: Arrays of the parameters' size that an Adam step needs, temporaries included.
    arrays: int

    def version(self) -> str: ...
    def set_threads(self, n: int) -> None: ...
    def make(self, setting: Setting) -> Contender: ...


@functools.cache
def load(label: str) -> Peer:
    """Return the peer, or raise AbsentError."""
    module, _, name = PEERS[label].partition(":")
    try:
        return cast(Peer, getattr(importlib.import_module(f"{__name__}.{module}"), name)())
    except ImportError as error:
        raise AbsentError(str(error)) from error
