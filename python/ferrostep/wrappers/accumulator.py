"""Gradient accumulation: one step with the mean of several gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ferrostep._native import Rows, StepInfo, followed
from ferrostep.differences import of_names
from ferrostep.matched import flatten
from ferrostep.optimizer import Optimizer
from ferrostep.params import labels
from ferrostep.partial import LoadReport
from ferrostep.wrappers import rules
from ferrostep.wrappers.base import Wrapper, are_same, count
from ferrostep.wrappers.lookahead import Lookahead
from ferrostep.wrappers.sums import PartialSum, Unfinished, copied, joined

if TYPE_CHECKING:
    from ferrostep.typing import Clip, Grads, Measure


class _SumOfRows(rules.Sum):
    """Looks at gradients as an optimizer does that takes `Rows` alone."""

    ROWS_ONLY = True


class Accumulator(Wrapper):
    """One step of any optimizer with the mean of the gradients of `steps` calls.

    For batches that are too large for memory: each call of `step` takes the gradients of a part of
    the batch, and the last of them makes the step, with the factor ``1/steps`` as its `grad_scale`.
    Calls before it write no parameter, and say ``applied=False``.

    Gradients are added up in pairs, the pairs' sums in pairs, and so on, in the type that the
    parameter is computed in (float64 for float64, else float32): the error grows with log2(steps),
    and the bits are those of the whole tree at once. It takes log2(steps) + 1 arrays of each
    parameter's size at most. A parameter that has None in some calls has 0 there, one that has None
    in all is skipped. `Rows` of all calls are the `Rows` of the step, added up in the order of the
    calls; a parameter has them in all calls or in none.

    A mistake is an error of the call that makes it, and nothing is added then. So is a gradient
    that is not finite, with ``nonfinite="raise"``; with "skip" that call is left out, as if it had
    never been made. What is unfinished is saved in state dicts and files.

    Parameters
    ----------
    optimizer
        An optimizer that has its parameters, or `Lookahead` of one.
    steps
        How many calls make a step; at least 1.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or `optimizer` is none or has no parameters yet. By
        `step`, if parameters were exchanged for others of another shape, or a group was removed,
        while a sum is unfinished: `clear` it before.

    References
    ----------
    Higham 1993, "The accuracy of floating point summation", section 2 (pairwise summation).

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.zeros(2)
    >>> opt = fs.Accumulator(fs.SGD([p], lr=1.0), steps=2)
    >>> opt.step([np.array([1.0, 2.0])])
    StepInfo(applied=False, grad_norm=None)
    >>> opt.step([np.array([3.0, 2.0])], max_norm=100.0)
    StepInfo(applied=True, grad_norm=2.8284271247461903)
    >>> p
    array([-2., -2.])
    """

    _steps: int
    _unfinished: Unfinished
    #: As they were at the last call.
    _params: list[Any]
    _check: rules.Sum | None
    #: Room for sums to come.
    _spare: list[PartialSum]

    def __init__(self, optimizer: Optimizer | Lookahead, steps: int) -> None:
        super().__init__(optimizer, Lookahead)
        vars(self).update(self._fresh(), _steps=count("steps", steps))

    @property
    def steps(self) -> int:
        """How many calls make a step."""
        return self._steps

    @property
    def accumulated(self) -> int:
        """How many gradients wait for the others of their step."""
        return self._unfinished.count

    def clear(self) -> None:
        """Forget the gradients that wait: the next call is the first of a step."""
        with self._alone():
            self._then(**self._fresh())()

    def step(
        self,
        grads: Grads,
        *,
        grad_scale: float | None = None,
        max_norm: float | None = None,
        clip: Clip = "global",
        measure: Measure | None = None,
    ) -> StepInfo:
        """Add gradients to those that wait, and step with their mean if they are the last.

        `grad_scale` multiplies the gradients of this call. `max_norm`, `clip` and `measure` are
        those of the step: in other calls they are checked, and have no effect.
        """
        with self._alone():
            asked = {"max_norm": max_norm, "clip": clip, "measure": measure}
            if self._steps == 1:
                info: StepInfo = self.optimizer.step(grads, grad_scale=grad_scale, **asked)
                return info
            self._follow()
            self._inmost._check_trained()
            self._read_scaling(grad_scale, max_norm, clip, measure)
            leaves = self._leaves(grads)
            left_out = self._checked(leaves, grad_scale)
            if left_out is not None:
                return left_out
            return self._added(leaves, grad_scale, asked)

    def _added(
        self, leaves: list[Any], grad_scale: float | None, asked: dict[str, Any]
    ) -> StepInfo:
        """Add up what is whole with these gradients, and step if it is all."""
        left = self._unfinished
        last = left.count + 1 >= self._steps
        rows = self._with_rows(leaves, grad_scale)
        whole = {i: g for i, g in enumerate(leaves) if g is not None and type(g) is not Rows}
        merged = left.merged(all_of_them=last)
        which = tuple(sorted({*whole, *(i for known in merged for i in known.which)}))
        fits = [known for known in self._spare if known.which == which]
        total = fits[0] if fits else PartialSum(which, self._params)
        self._spare = [known for known in self._spare if known is not total]
        total.begin()
        total.add(whole, grad_scale)
        for known in merged:
            total.add(known.arrays)
        if self._unfinished is not left:
            raise RuntimeError("this optimizer was called from within its own step")
        unused = [*merged, *self._spare]
        if not last:
            self._then(_unfinished=left.and_one(total, rows), _spare=unused)()
            return StepInfo(applied=False)
        values = {**total.arrays, **{i: joined(found) for i, found in rows.items()}}
        mean = self._named([values.get(i) for i in range(len(leaves))])
        step = partial(self._inmost.step, mean, grad_scale=1 / self._steps, **asked)
        always = self._then(_unfinished=Unfinished(), _spare=[total, *unused])
        if isinstance(self.optimizer, Lookahead):
            return self.optimizer._with_step(step, always)
        return followed(step, [], None, always)

    def _leaves(self, grads: Grads) -> list[Any]:
        """Return the gradients in the order of the parameters."""
        names, likes = self._names, self._trees()
        skip = self._settings.missing == "skip"
        found = flatten("gradients", names, likes, grads, skip)
        return list(found) if isinstance(found, list | tuple) else found

    def _checked(self, leaves: list[Any], grad_scale: float | None) -> StepInfo | None:
        """Refuse what the step would refuse; return what it says of one that it would leave out."""
        inner = self._inmost
        if self._check is None:
            made = _SumOfRows if inner.ROWS_ONLY else rules.Sum
            self._check = made(self._pairs(self._params))
        check, names = self._check, self._names
        if check.nonfinite != inner.nonfinite:
            check.nonfinite = inner.nonfinite
        inner._check_containers()
        known = names is not None and len(names) == len(leaves)
        grads = dict(zip(names, leaves, strict=True)) if known else leaves
        check._abandon()  # what an interrupt has left
        if not check._prepare(grads, grad_scale=grad_scale):
            inner._prepare(grads, grad_scale=grad_scale)
            info: StepInfo = inner._commit()  # which counts it and says so
            return info
        check._abandon()
        return None

    def _with_rows(self, leaves: list[Any], grad_scale: float | None) -> dict[int, list[Rows]]:
        """Return all `Rows` so far; refuse a parameter that has them in some calls only."""
        left = self._unfinished
        found, whole = dict(left.rows), left.whole()
        for i, leaf in enumerate(leaves):
            given = type(leaf) is Rows
            if leaf is not None and i in (whole if given else left.rows):
                label = labels(self._names, 0, len(leaves))[i]
                kinds = ("Rows", "an array") if given else ("an array", "Rows")
                raise TypeError(
                    f"the gradient of {label} must be {kinds[1]}, as in the calls before, found "
                    f"{kinds[0]}; what is added up is one or the other"
                )
            if given:
                found[i] = [*found.get(i, []), copied(leaf, self._params[i], grad_scale)]
        return found

    def _follow(self) -> None:
        """Take notice of parameters that were exchanged or added."""
        now, known, left = self.optimizer._parameters(), self._params, self._unfinished
        if are_same(now, known):
            return
        same = [p.shape == q.shape for p, q in zip(known, now, strict=False)]
        if left.count and (len(now) < len(known) or not all(same)):
            raise ValueError(
                f"parameters have changed after {left.count} of {self._steps} gradients; clear() "
                "forgets those"
            )
        vars(self).update(_params=now, _check=None, _spare=[])

    @property
    def _inmost(self) -> Any:
        inner = self.optimizer
        return inner.optimizer if isinstance(inner, Lookahead) else inner

    def _fresh(self) -> dict[str, Any]:
        return {"_unfinished": Unfinished(), "_params": [], "_check": None, "_spare": []}

    def _own(self) -> dict[str, Any]:
        return {"steps": self._steps, **self._unfinished.saved(self._keys())}

    def _own_differences(self, own: Mapping[str, Any]) -> Iterator[str]:
        wanted = {"class", "steps", *Unfinished().saved([])}
        yield from of_names("the state of Accumulator", own, wanted, "entry")
        if not own.keys() >= wanted:
            return
        try:
            steps = count("steps", own["steps"])
        except ValueError as error:
            yield str(error)
            return
        yield from Unfinished.differences(own, self._keys(), self._parameters())
        if not isinstance(own["count"], int) or own["count"] >= steps:
            found = own["count"]
            yield f"the count of Accumulator must be below its steps {steps}, found {found!r}"

    def _read(self, own: Mapping[str, Any]) -> dict[str, Any]:
        params = self._parameters()
        left = Unfinished.read(own, self._keys(), params)
        return {
            **self._fresh(),
            "_steps": count("steps", own["steps"]),
            "_unfinished": left,
            "_params": params if left.count else [],
        }

    def _fitted(self, own: Mapping[str, Any] | None, report: LoadReport) -> dict[str, Any]:
        return {"steps": self._steps, **Unfinished().saved([])}  # gradients of other parameters

    def _told(self) -> dict[str, Any]:
        return {"steps": self._steps}
