"""The range test: which learning rates are worth a try."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ferrostep import tree
from ferrostep.groups import EXTRA, SCHEDULED
from ferrostep.schedulers.checks import BELOW_ONE, POSITIVE, Bound, integer, real
from ferrostep.settings import NonFiniteError
from ferrostep.typing import Grads, Params

AT_LEAST_ONE: Bound = ("a finite number >= 1", lambda x: x >= 1)


class Optimizer(Protocol):
    """What the test needs of an optimizer; with `params`, its ``update`` too."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...
    @property
    def step(self) -> Callable[..., Any]: ...
    @property
    def state_dict(self) -> Callable[[], Any]: ...
    @property
    def load_state_dict(self) -> Callable[[Any], Any]: ...


@dataclass(frozen=True, eq=False)
class LRCurve:
    """What `find_lr` measured.

    Attributes
    ----------
    lrs : ndarray of float64
        The rates that were tried, in increasing order.
    losses : ndarray of float64
        The loss before the step with each of them.
    smoothed : ndarray of float64
        Their running averages.
    """

    lrs: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]

    @property
    def steepest(self) -> float | None:
        """The rate after whose step the average fell most; None if it never fell."""
        falls = -np.diff(self.smoothed)
        return float(self.lrs[falls.argmax()]) if (falls > 0).any() else None


def find_lr(
    opt: Optimizer,
    closure: Callable[[], tuple[Any, Grads]],
    params: Params | None = None,
    *,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverged: float = 4.0,
    **options: Any,
) -> LRCurve:
    """Step with rates that grow from step to step, and record the loss: the range test.

    ``lr_i = min_lr * (max_lr / min_lr)**(i / (steps - 1))``, for all groups.  A good rate is where
    the loss falls fastest (`LRCurve.steepest`), or a tenth of that where it is lowest.  Parameters
    and the optimizer's state, options and rates are afterwards what they were, to the bit, also
    after an error or Ctrl-C; they are copied first.  What `closure` itself changes (a random
    generator, a loader's place) is not taken back.  Smith, arXiv:1506.01186, with a rate that
    grows by a factor as in fastai.

    Parameters
    ----------
    opt
        The optimizer, at any point of its training.
    closure
        Returns the loss, a number, and the gradients, as `opt` takes them, of the next batch at
        the parameters' present values.
    params
        None, or the parameters of an unbound optimizer, as `update` takes them.
    min_lr, max_lr : float > 0, defaults 1e-7 and 10.0
        The first and the last rate.
    steps : int >= 2, default 100
        How many rates are tried.
    smoothing : float in [0, 1), default 0.9
        The weight of the past in the running average of the loss (corrected for its start).
    diverged : float >= 1, default 4.0
        The test ends early once the average is above ``best + (diverged - 1) * abs(best)``, and at
        a loss or gradient that is not finite; a loss that is not finite is no part of the curve.
    **options
        What else `Optimizer.step` takes, such as ``max_norm``.

    Returns
    -------
    LRCurve
        Rates, losses and averages.

    Raises
    ------
    ValueError
        An argument is out of its bounds, or already the first loss is not finite.
    TypeError
        `closure` returned something else.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([3.0, -2.0])
    >>> opt = fs.SGD([p], lr=0.1)
    >>> curve = fs.find_lr(opt, lambda: (float(p @ p), [2 * p]), min_lr=1e-4)
    >>> len(curve.lrs) == len(curve.losses) < 100  # it diverged before the last rate
    True
    >>> 0.01 < curve.steepest < 1
    True
    >>> p, opt.lr, len(opt.state)
    (array([ 3., -2.]), 0.1, 0)
    """
    low, high = real("min_lr", min_lr, POSITIVE), real("max_lr", max_lr, POSITIVE)
    if low >= high:
        raise ValueError(f"max_lr must be above min_lr, which is {low}, found {high}")
    count = integer("steps", steps, 2)
    past = real("smoothing", smoothing, BELOW_ONE)
    limit = real("diverged", diverged, AT_LEAST_ONE)
    needed = "param_groups", "step", "state_dict", "load_state_dict"
    if isinstance(opt, type) or not all(hasattr(opt, name) for name in needed):
        raise TypeError(f"opt must be an optimizer, found {opt!r:.200}")
    if not callable(closure):
        raise TypeError(f"closure must be callable, found {closure!r}")

    def step(grads: Grads) -> None:
        if params is None:
            opt.step(grads, **options)
        else:
            unbound: Any = opt
            unbound.update(params, grads, **options)

    curve: list[tuple[float, float, float]] = []
    average, best = 0.0, math.inf
    restore = _restoring(opt, params)
    try:
        for i, lr in enumerate(np.geomspace(low, high, count).tolist()):
            for group in opt.param_groups:
                group["lr"] = lr
            loss, grads = _called(closure)
            if not math.isfinite(loss):
                break
            # The first has the weight 1, and a loss that stays is its own average.
            average += (loss - average) * ((1 - past) / (1 - past ** (i + 1)))
            curve.append((lr, loss, average))
            best = min(best, average)
            if average > best + (limit - 1) * abs(best):
                break
            try:
                step(grads)
            except NonFiniteError:
                break
    finally:
        try:
            restore()
        except BaseException:  # Ctrl-C in the middle of it
            restore()
            raise
    if not curve:
        raise ValueError(f"the first loss must be finite, found {loss}; look at the data")
    lrs, losses, averages = np.array(curve, np.float64).T
    return LRCurve(lrs, losses, averages)


def _called(closure: Callable[[], Any]) -> tuple[float, Any]:
    found = closure()
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            f"closure must return the loss and the gradients, found {type(found).__name__}"
        )
    loss, grads = found
    try:
        return float(loss), grads
    except (TypeError, ValueError):
        raise TypeError(f"the loss must be a single number, found {loss!r:.200}") from None


def _restoring(opt: Optimizer, params: Params | None) -> Callable[[], None]:
    """Return what puts back the values of the parameters and the optimizer, as often as called."""
    if params is None:
        arrays = [array for group in opt.param_groups for array in group["params"]]
    else:
        arrays = list(tree.flatten(params).values())
        for array in arrays:
            if not hasattr(array, "copy"):
                raise TypeError(
                    f"params must be arrays, which update() can write into, found {array!r:.200}"
                )
    # What is read-only no step can change, but refuses.
    written = [a for a in arrays if getattr(getattr(a, "flags", None), "writeable", True)]
    values = [array.copy() for array in written]
    state = opt.state_dict()
    held = EXTRA - SCHEDULED
    groups = [(g, {k: g[k] for k in g if k not in held}) for g in opt.param_groups]

    def restore() -> None:
        try:
            for array, value in zip(written, values, strict=True):
                array[...] = value
            opt.load_state_dict(state)
        finally:
            for group, entries in groups:  # as they were, and not as they are after a check
                group.update(entries)

    return restore
