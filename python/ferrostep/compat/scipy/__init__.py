"""SciPy: every optimizer as a method of `scipy.optimize.minimize`.

    from ferrostep.compat.scipy import adam

    minimize(fun, x0, jac=grad, method=adam, options={"lr": 0.01, "maxiter": 20_000})

The methods are our classes' names in lower case. They take what `minimize` gives: `args`, `jac`
(without one the gradient is made of forward differences), `bounds` (each iterate is projected onto
them), `callback`, `tol`; and as options those of the class, and `Method`'s own.

They are for objectives that are noisy, or whose gradients are: on a smooth function BFGS and L-BFGS
need a hundredth of the steps.
"""

from __future__ import annotations

from typing import Any

from ferrostep import optimizers
from ferrostep.compat.library import FITTING, library

#: By the names of their methods; spellings of one class are one.
_CLASSES = {name.lower(): getattr(optimizers, name) for name in FITTING}

__all__ = list(_CLASSES)


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    library("scipy")
    from ferrostep.compat.scipy.method import method_of

    return method_of(_CLASSES[name])


def __dir__() -> list[str]:
    return list(__all__)
