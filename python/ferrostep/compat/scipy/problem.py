"""What `minimize` gives to a method: function, gradient, bounds, callback."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, OptimizeResult

Vector = NDArray[np.float64]

#: Of a forward difference, beside values of about 1: what rounding and curvature lose is the least.
_STEP = np.sqrt(np.finfo(np.float64).eps)


#: Kinds of types that are real numbers.
_REAL = "biuf"


class Problem:
    """A function, its gradient and its bounds, with counts of the calls."""

    def __init__(self, fun: Any, jac: Any, args: tuple[Any, ...], bounds: Any, size: int) -> None:
        if jac is not None and jac != "2-point" and not callable(jac):
            raise ValueError(
                f"jac must be a function, True, None or '2-point', found {jac!r}; "
                "give a function of the gradient"
            )
        self._fun, self._jac, self._args = fun, jac, args
        self.lower, self.upper = _limits(bounds, size)
        self.calls = self.gradients = 0

    def project(self, x: Vector) -> None:
        """Move x into the bounds, in place."""
        np.clip(x, self.lower, self.upper, out=x)

    def fun(self, x: Vector) -> float:
        self.calls += 1
        found = np.asarray(self._fun(x.copy(), *self._args))
        if found.size != 1 or found.dtype.kind not in _REAL:
            raise ValueError(f"fun must return one real number, found {_shown(found)}")
        return float(found.item())

    def jac(self, x: Vector, value: float) -> Vector:
        """Return the gradient where the function has this value."""
        self.gradients += 1
        if not callable(self._jac):
            return self._differences(x, value)
        found = np.atleast_1d(np.asarray(self._jac(x.copy(), *self._args)))
        if found.shape != x.shape or found.dtype.kind not in _REAL:
            raise ValueError(f"jac must return {x.size} real numbers, found {_shown(found)}")
        return found.astype(np.float64)

    def _differences(self, x: Vector, value: float) -> Vector:
        step = _STEP * np.maximum(1.0, np.abs(x))
        up, down = np.minimum(step, self.upper - x), np.minimum(step, x - self.lower)
        moved = np.where(up >= down, x + up, x - down)  # SciPy's own would leave the bounds
        gradient = np.zeros_like(x)
        for i in np.flatnonzero(moved != x):
            there = x.copy()
            there[i] = moved[i]
            gradient[i] = (self.fun(there) - value) / (moved[i] - x[i])
        return gradient

    def slope(self, x: Vector, gradient: Vector) -> float:
        """Return the largest part of the gradient that does not lead out of the bounds."""
        # x - gradient is not formed: beside a large x nothing is left of the gradient.
        down, up = np.minimum(gradient, x - self.lower), np.maximum(gradient, x - self.upper)
        return float(np.abs(np.where(gradient > 0, down, up)).max(initial=0.0))


def _shown(found: NDArray[Any]) -> str:
    return repr(found.item()) if found.ndim == 0 else f"{found.dtype} of shape {found.shape}"


def _limits(bounds: Any, size: int) -> tuple[Vector, Vector]:
    if bounds is None:
        return np.full(size, -np.inf), np.full(size, np.inf)
    if not isinstance(bounds, Bounds):
        rows = [tuple(row) for row in bounds]
        if len(rows) != size or any(len(row) != 2 for row in rows):
            raise ValueError(
                f"bounds must be one pair (min, max) for each of {size} values, found {bounds!r}"
            )
        bounds = Bounds(
            [-np.inf if low is None else low for low, _ in rows],
            [np.inf if high is None else high for _, high in rows],
        )
    lower = np.broadcast_to(np.asarray(bounds.lb, np.float64), size)
    upper = np.broadcast_to(np.asarray(bounds.ub, np.float64), size)
    if not (lower <= upper).all():
        i = int(np.argmin(lower <= upper))
        raise ValueError(
            f"bounds must be min <= max, found {lower[i]} and {upper[i]} for value {i}"
        )
    return lower, upper


def told(callback: Any) -> Callable[[Vector, float], None]:
    """Return a function that tells a callback of either signature about an iterate."""
    if callback is None:
        return lambda x, fun: None
    try:
        names = set(signature(callback).parameters)
    except ValueError:  # some built-in functions have none
        names = set()
    if names == {"intermediate_result"}:
        return lambda x, fun: callback(intermediate_result=OptimizeResult(x=x.copy(), fun=fun))
    return lambda x, fun: callback(x.copy())
