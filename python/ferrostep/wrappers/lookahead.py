"""Lookahead: k steps forward, one step back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ferrostep._native import StepInfo, followed
from ferrostep.averages import rules as averages
from ferrostep.averages.arrays import average_of
from ferrostep.backends import cuda
from ferrostep.differences import of_names
from ferrostep.optimizer import Optimizer
from ferrostep.params import adopted, labels
from ferrostep.partial import LoadReport
from ferrostep.saved import LOADED, whole
from ferrostep.wrappers import rules
from ferrostep.wrappers.base import Wrapper, are_same, count, layout_differences

if TYPE_CHECKING:
    from ferrostep.typing import Clip, Grads, Measure


class Lookahead(Wrapper):
    """Slow weights that follow those of any optimizer, and take them back to where they are.

    With the parameter ``p``, which the optimizer steps, and the slow weight ``s``, every `k`-th
    time::

        s = s + alpha*(p - s)
        p = s

    ``s`` begins as ``p`` is before the first step. The step and this happen as one, wholly or not
    at all, and with the same bits everywhere; a step that ``nonfinite="skip"`` leaves out does not
    count. The slow weights of a parameter that comes later begin with it, and those of one that
    `replace` gives other rows begin again.

    All else that an optimizer has (groups, options, `state`, `save` and `load`, schedules) is that
    of the wrapped one. State dicts and files have the slow weights, too.

    Parameters
    ----------
    optimizer
        An optimizer that has its parameters. It may be one of NumPy or CuPy arrays; those on a
        device must be contiguous.
    k
        Every how many steps; default 5, at least 1.
    alpha
        How far the slow weights go; default 0.5, in [0, 1].

    Both are properties, and can be set between steps.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or `optimizer` is none or has no parameters yet.

    References
    ----------
    Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610, algorithm 1.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, -2.0])
    >>> opt = fs.Lookahead(fs.SGD([p], lr=0.1), k=2)
    >>> for _ in range(2):
    ...     info = opt.step([2 * p])  # the gradient of p**2
    >>> p  # halfway from 1 to 0.64, and from -2 to -1.28
    array([ 0.82, -1.64])
    >>> opt.lr
    0.1
    """

    _k: int
    _alpha: float
    #: Since the slow weights have followed.
    _steps: int
    _fast: list[Any]
    _slow: list[Any]
    _made: tuple[rules.Slow, averages.EMA] | None

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(optimizer)
        vars(self).update(self._fresh(), _k=count("k", k), _alpha=averages.share("alpha", alpha))

    @property
    def k(self) -> int:
        """Every how many steps the slow weights follow."""
        return self._k

    @k.setter
    def k(self, value: int) -> None:
        self._k = count("k", value)

    @property
    def alpha(self) -> float:
        """How far the slow weights go."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = averages.share("alpha", value)

    @property
    def slow(self) -> dict[int | str, Any]:
        """The slow weights by position or name: live arrays. Before the first step there are none.

        They are float64 for float64 parameters, else float32.
        """
        if not self._slow:
            return {}
        self._follow()
        return dict(zip(self._keys(), self._slow, strict=True))

    def step(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Step as `Optimizer.step` does; every `k` steps the slow weights follow.

        What `measure` tells is how far the optimizer's own step moves.
        """
        asked: dict[str, Any] = {"max_norm": max_norm, "clip": clip, "measure": measure}
        step = partial(self.optimizer.step, grads, grad_scale=grad_scale, **asked)
        return self._with_step(step, None)

    def _with_step(
        self, step: Callable[[], StepInfo], always: Callable[[], None] | None
    ) -> StepInfo:
        """Make a step of the optimizer, and what follows; see `followed`."""
        with self._alone():
            self._follow()
            if self._steps + 1 < self._k:
                return followed(step, [], self._then(_steps=self._steps + 1), always)
            slow, fast = self._rules()
            for rule, values in ((slow, self._fast), (fast, self._slow)):
                rule._abandon()  # what an interrupt has left
                rule._prepare(self._named(values))
            return followed(step, [slow, fast], self._then(_steps=0), always)

    def _follow(self) -> None:
        """Begin slow weights of parameters that are new, and let go of others."""
        now, known = self.optimizer._parameters(), self._fast
        if are_same(now, known):
            return
        own, there = {id(p): s for p, s in zip(known, self._slow, strict=True)}, set(map(id, now))
        made = []
        for i, (p, label) in enumerate(
            zip(now, labels(self.optimizer._names, 0, len(now)), strict=True)
        ):
            rebound = (
                len(now) == len(known) and p.shape == known[i].shape and id(known[i]) not in there
            )
            slow = own.get(id(p), self._slow[i] if rebound else None)
            made.append(_begun(p, label) if slow is None else slow)
        vars(self).update(_fast=now, _slow=made, _made=None)

    def _rules(self) -> tuple[rules.Slow, averages.EMA]:
        """Return what moves the slow weights, and what copies them: optimizers of their own."""
        if self._made is None:
            slow, fast = map(self._pairs, (self._slow, self._fast))
            self._made = rules.Slow(slow), averages.EMA(fast, decay=0.0)
        self._made[0].alpha = self._alpha
        return self._made

    def _fresh(self) -> dict[str, Any]:
        return {"_steps": 0, "_fast": [], "_slow": [], "_made": None}

    def _own(self) -> dict[str, Any]:
        return {"k": self._k, "alpha": self._alpha, "steps": self._steps, "slow": self.slow}

    def _own_differences(self, own: Mapping[str, Any]) -> Iterator[str]:
        yield from of_names("a Lookahead's state", own, {"class", *_KEYS}, "entry")
        if not own.keys() >= _KEYS:
            return
        try:
            count("k", own["k"])
            averages.share("alpha", own["alpha"])
            whole(own["steps"], "the steps of Lookahead", LOADED)
        except ValueError as error:
            yield str(error)
        if not isinstance(own["slow"], Mapping):
            yield f"the slow weights of Lookahead must be a dict, found {own['slow']!r:.200}"
        elif own["slow"]:
            yield from of_names("Lookahead", own["slow"], self._keys(), "slow weight")
            for key, p in zip(self._keys(), self._parameters(), strict=True):
                if key in own["slow"]:
                    yield from layout_differences("slow weight", key, own["slow"][key], p)

    def _read(self, own: Mapping[str, Any]) -> dict[str, Any]:
        fast = self.optimizer._parameters() if own["slow"] else []
        slow = [_begun(p, "a parameter") for p in fast]
        for key, array in zip(self._keys(), slow, strict=False):
            cuda.assign(array, cuda.to_host(own["slow"][key]))
        return {
            "_k": count("k", own["k"]),
            "_alpha": averages.share("alpha", own["alpha"]),
            "_steps": whole(own["steps"], "the steps of Lookahead"),
            "_fast": fast,
            "_slow": slow,
            "_made": None,
        }

    def _fitted(self, own: Mapping[str, Any] | None, report: LoadReport) -> dict[str, Any]:
        mine, theirs = self._own(), (own or {}).get("slow") or {}
        slow = mine["slow"]
        if theirs and not slow:
            params = zip(self._keys(), self._parameters(), strict=True)
            slow = {key: _begun(p, f"parameter {key!r}") for key, p in params}
        taken = {key: theirs[key] for key in report.loaded if key in theirs and key in slow}
        return {**mine, "slow": {**slow, **taken}}

    def _told(self) -> dict[str, Any]:
        return {"k": self._k, "alpha": self._alpha}


_KEYS = {"k", "alpha", "steps", "slow"}


def _begun(p: Any, label: str) -> Any:
    """Return the slow weight that a parameter begins with."""
    flags = p.flags
    if adopted(p) is not None and not (flags.c_contiguous or flags.f_contiguous):
        raise ValueError(
            f"{label} must be contiguous for Lookahead, as it is on a device, found gaps; "
            "give the optimizer a copy"
        )
    return average_of(p, None)
