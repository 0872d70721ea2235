"""An optimizer as a method of `scipy.optimize.minimize`."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from itertools import count
from math import isclose, isfinite
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ferrostep.compat.scipy.problem import Problem, Vector, told
from ferrostep.optimizer import Optimizer
from ferrostep.options import non_negative
from ferrostep.spellings import hint

_MAXITER = 10_000
#: Options of ours that mean nothing here.
_REFUSED = {
    "maximize": "minimize the negative of fun",
    "nonfinite": "what is not finite ends the run",
    "params": "the parameters are x0",
    "state_factory": "its state ends with the run",
    "missing": "there is one parameter",
}
#: As SciPy's own methods tell how they ended.
_CONVERGED = 0, "Optimization terminated successfully."
_LONG = 1, "Maximum number of iterations has been exceeded."
_NAN = 3, "NaN result encountered."  # or infinite
_STOPPED = 99, "`callback` raised `StopIteration`."


_DOC = """Minimize with ferrostep's {cls}: ``scipy.optimize.minimize(..., method={name})``.

The function and its gradient are called once for each iteration, at the same point; the gradient
may be that of a sample. Of the iterates the one with the smallest `fun` is returned. The defaults
are those of `ferrostep.{cls}`; what decays weights there pulls the solution towards 0.

Parameters
----------
fun, x0, args, jac, bounds, callback
    As `minimize` hands them over. Without `jac` the gradient is made of forward differences.
    Each iterate is projected onto `bounds`. A `callback` is told of every iterate, by
    ``intermediate_result=`` or as ``callback(x)``; its StopIteration ends the run.
hess, hessp, constraints
    Not used: the former with a warning; constraints are an error.
maxiter
    Steps at most; 10,000.
gtol, tol
    The run ends when no part of the gradient that leads into the bounds is larger; 1e-5. `tol`, as
    `minimize` gives it, is used where `gtol` is not given.
disp
    Whether to print how it ended.
**options
    Those of `ferrostep.{cls}`: `lr` and so on, but for `maximize` and `nonfinite`.

Returns
-------
scipy.optimize.OptimizeResult
    With `x`, `fun`, `jac`, `nit`, `nfev`, `njev`, `message`, `success` and `status`: 0 converged,
    1 out of iterations, 3 met NaN or infinity, 99 stopped by the callback.

Raises
------
ValueError, TypeError
    If an option, the bounds or what a function returns is not as it must be.

Examples
--------
>>> import numpy as np
>>> from scipy.optimize import minimize
>>> from ferrostep.compat.scipy import {name}
>>> def loss(x):
...     return ((x - 3) ** 2).sum(), 2 * (x - 3)
>>> found = minimize(loss, np.zeros(2), jac=True, method={name}, options={{"maxiter": 100}})
>>> found.nit <= 100 and found.fun < 18
True
"""


class Method:
    """What `minimize` calls for ``method=``."""

    def __init__(self, cls: type[Optimizer]) -> None:
        self._cls = cls
        self.__name__ = self.__qualname__ = cls.__name__.lower()
        self.__doc__ = _DOC.format(name=self.__name__, cls=cls.__name__)

    def __repr__(self) -> str:
        return f"ferrostep.compat.scipy.{self.__name__}"

    def __reduce__(self) -> Any:
        return _again, (self.__name__,)

    def __call__(
        self,
        fun: Any,
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Any = None,
        *,
        maxiter: int | None = None,
        gtol: float | None = None,
        tol: float | None = None,
        disp: bool = False,
        **options: Any,
    ) -> OptimizeResult:
        if np.size(constraints):
            raise ValueError(
                f"constraints must be empty, found {constraints!r}; {self!r} knows bounds alone: "
                "take SLSQP or trust-constr"
            )
        if hess is not None or hessp is not None:
            warnings.warn(f"{self!r} does not use hess and hessp", RuntimeWarning, stacklevel=3)
        self._check(options)
        limit = _limit(gtol, tol)
        most = _MAXITER if maxiter is None else _count(maxiter)
        x = _start(x0)
        problem = Problem(fun, jac, args, bounds, x.size)
        result = _descend(problem, self._cls([x], **options), x, told(callback), most, limit)
        if disp:
            print(f"{result.message}\n  fun {result.fun:g}, nit {result.nit}, nfev {result.nfev}")
        return result

    def _check(self, options: dict[str, Any]) -> None:
        """Refuse what is no option, or means nothing here."""
        known = self._cls._schema().checks.keys() - _REFUSED.keys()
        for name in options:
            if name in _REFUSED:
                raise TypeError(f"{self!r} takes no option {name!r}; {_REFUSED[name]}")
            if name not in known | {"backend"}:
                taken = ", ".join(["maxiter", "gtol", "disp", *sorted(known)])
                meant = hint(name, known)
                raise TypeError(f"{self!r} takes no option {name!r}{meant}; it takes {taken}")


def _limit(gtol: Any, tol: Any) -> float:
    """Return the largest slope of a minimum."""
    name, found = ("gtol", gtol) if gtol is not None else ("tol", tol)
    return 1e-5 if found is None else non_negative(name, found)


def _count(maxiter: Any) -> int:
    if isinstance(maxiter, bool | np.bool) or not isinstance(maxiter, int | np.integer):
        raise TypeError(f"maxiter must be a whole number, found {maxiter!r}")
    if maxiter < 0:
        raise ValueError(f"maxiter must be >= 0, found {maxiter}")
    return int(maxiter)


def _descend(
    problem: Problem, opt: Optimizer, x: Vector, tell: Any, maxiter: int, gtol: float
) -> OptimizeResult:
    """Step x, in place, to where the gradient vanishes or an end is set; return the best point."""
    problem.project(x)
    best: tuple[float, Vector, Vector] = np.inf, x, x
    for nit in count():
        value = problem.fun(x)
        gradient = problem.jac(x, value)
        if nit == 0 or value <= best[0]:
            best = value, x.copy(), gradient
        if not (isfinite(value) and np.isfinite(gradient).all()):
            end = _NAN
            break
        try:
            if nit > 0:
                tell(x, value)
        except StopIteration:
            end = _STOPPED
            break
        if problem.slope(x, gradient) <= gtol:
            if isclose(value, best[0], rel_tol=1e-9, abs_tol=1e-12):  # but for rounding
                best = value, x, gradient
            end = _CONVERGED
            break
        if nit >= maxiter:
            end = _LONG
            break
        opt.step([gradient])
        problem.project(x)
    status, message = end
    value, x, gradient = best
    return OptimizeResult(
        x=x,
        fun=value,
        jac=gradient,
        nit=nit,
        nfev=problem.calls,
        njev=problem.gradients,
        status=status,
        success=status == _CONVERGED[0],
        message=message,
    )


def _start(x0: Any) -> Vector:
    x = np.atleast_1d(np.asarray(x0))
    if x.ndim != 1 or x.dtype.kind not in "biuf":
        raise ValueError(f"x0 must be one axis of real numbers, found shape {x.shape} of {x.dtype}")
    return x.astype(np.float64)  # a copy: it is stepped in place


@cache
def method_of(cls: type[Optimizer]) -> Method:
    return Method(cls)


def _again(name: str) -> Any:
    return getattr(import_module("ferrostep.compat.scipy"), name)
