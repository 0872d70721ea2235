"""thinc's Optimizer with our steps."""

from __future__ import annotations

from inspect import signature
from typing import Any, Self

import numpy as np
import thinc.optimizers
import thinc.schedules

from ferrostep.averages.rules import EMA
from ferrostep.compat.thinc.formulas import (
    Formula,
    Numbers,
    clipped,
    decay_of_average,
    formula,
    read,
)
from ferrostep.compat.thinc.slot import Slot

#: What constant schedules call, from thinc 9 on.
_CONSTANT: Any = getattr(thinc.schedules.constant(0.0), "_schedule", ...)
_OWN = ("_averaged", "_last_formula", "_last_numbers", "_slots")


class Optimizer(thinc.optimizers.Optimizer):
    """A `thinc.optimizers.Optimizer`, whose steps of NumPy arrays are ferrostep's.

    Arguments, defaults, schedules, `step_schedules`, `averages`, `mom1`, `mom2`, `nr_update` are
    thinc's own. With the gradient ``g`` of a parameter ``p`` at its step ``t``::

        g = g * grad_clip/norm(g)                   where norm(g) >= grad_clip > 0
        m = beta1*m + (1 - beta1)*g
        v = beta2*v + (1 - beta2)*g**2
        p = p - lr_scale*learn_rate*sqrt(1 - beta2**t)/(1 - beta1**t) * m/(sqrt(v) + eps)
        p = p - lr_scale*learn_rate*L2*p
        average = average + (1 - min((1 + t)/(10 + t), 0.9999))*(p - average)

    ``beta1=0, beta2=0``: ``p = p - lr_scale*learn_rate*g``.

    Parameters
    ----------
    learn_rate
        A number, a list, a generator, or one of thinc's schedules, like those below.
    L2
        Weight decay, after the step; with ``L2_is_weight_decay=False``, ``L2*p`` is added to the
        gradient, before it is clipped. Default 0.0.
    beta1, beta2, eps
        Default 0.9, 0.999 and 1e-8.
    grad_clip
        The largest norm of a parameter's gradient; default 1.0, and 0 for any.
    use_averages
        Keep averages of the weights, for ``model.use_params(optimizer.averages)``; default True.
    use_radam
        Default False; True: RAdam, which takes no `lr_scale`, as in thinc.
    L2_is_weight_decay
        Default True.

    Numbers are checked when they are used: each is finite and >= 0, betas are below 1. Weights may
    be float32, and float16, bfloat16 and float64 too. Arrays that are not NumPy's are thinc's
    business, on a device for one.

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.compat.thinc import Optimizer
    >>> optimizer = Optimizer(0.1, grad_clip=0.0)
    >>> W, dW = np.ones(2, np.float32), np.array([1.0, -2.0], np.float32)
    >>> W, dW = optimizer((1, "W"), W, dW)
    >>> W.round(3), dW
    (array([0.9, 1.1], dtype=float32), array([0., 0.], dtype=float32))
    """

    __slots__ = _OWN
    __signature__ = signature(thinc.optimizers.Optimizer)

    _averaged: dict[Any, Slot]
    #: What was last asked, and the answer: in one, since threads may step different parameters.
    _last_formula: tuple[Any, Formula]
    _last_numbers: tuple[Any, Numbers]
    _slots: dict[Any, Slot]

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        # Not in __init__, which is not called for copies.
        made: Self = super().__new__(cls)
        made._slots, made._averaged = {}, {}
        nothing: Any = (None, None)
        made._last_formula = made._last_numbers = nothing
        return made

    def __call__(
        self, key: Any, weights: Any, gradient: Any, *, lr_scale: float = 1.0
    ) -> tuple[Any, Any]:
        """Update weights in place, wholly or not at all, and set the gradient to 0.

        Parameters
        ----------
        key
            What the parameter is known by from now on; of thinc's models, ``(model.id, name)``.
        weights, gradient
            Arrays of one size.
        lr_scale
            Multiplies the learning rate of this call; default 1.0.

        Returns
        -------
        tuple
            Both arrays.

        Raises
        ------
        ValueError, TypeError
            If an array or a number is not as it must be; nothing has been written.
        NotImplementedError
            If `beta2` is greater than 0 and `beta1` is not.
        """
        if len(gradient) < 1:
            return weights, gradient
        if not isinstance(weights, np.ndarray):
            return self._elsewhere(key, weights, gradient, lr_scale)
        _check(key, weights, gradient)
        now = self._now(key, lr_scale)
        t = self.nr_update.get(key, 0) + 1
        found = self._formula(now, t, wide=weights.dtype.itemsize == 8)
        stepped = weights if weights.flags.c_contiguous else weights.copy(order="C")
        known = self._slots.get(key)
        moved = known is None or known.array is not stepped
        slot = self._slot(key, known, found, stepped, t)
        averaged = self._average(key, stepped, slot.name, moved)
        taken, scale = gradient, None
        if now.L2 and not self.L2_is_weight_decay:
            taken = gradient + now.L2 * stepped
        if now.grad_clip:
            taken, scale = clipped(taken, slot.name, now.grad_clip)
        slot.step(taken, scale, found.options)

        self.nr_update[key] = t
        if slot is not known or slot.remembers:
            self._slots[key] = slot
            slot.show_in(self._kept(), key)
        if found.of_average:
            stepped -= (found.of_average * slot.state["exp_avg"]).reshape(stepped.shape)
        if found.of_weights:
            stepped -= found.of_weights * stepped
        if stepped is not weights:
            weights[...] = stepped
        if averaged is not None:
            averaged.step(stepped, None, {"decay": decay_of_average(t)})
            if self._averaged.get(key) is not averaged:
                self.averages[key], self._averaged[key] = averaged.array, averaged
        gradient.fill(0)
        return weights, gradient

    def _elsewhere(self, key: Any, weights: Any, gradient: Any, lr_scale: float) -> tuple[Any, Any]:
        """Step what is no NumPy array, with thinc's kernels and the same state."""
        stepped: tuple[Any, Any] = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        return stepped

    def _formula(self, now: Numbers, t: int, *, wide: bool) -> Formula:
        """Return how a parameter makes its step number `t`."""
        asked = (now, t, self.use_radam, self.L2_is_weight_decay, wide)
        last = self._last_formula
        if asked != last[0]:  # it is mostly the same for all parameters of a model
            self._last_formula = last = (asked, formula(*asked))
        return last[1]

    def _kept(self) -> dict[str, dict[Any, Any]]:
        """Return the state that users see, by its name in ours, and then by key."""
        return {"exp_avg": self.mom1, "exp_avg_sq": self.mom2}

    def _now(self, key: Any, lr_scale: float) -> Numbers:
        """Return the numbers of this call: of schedules, or as they are."""
        found = (
            self.learn_rate, self.b1, self.b2, self.eps, self.L2, self.grad_clip, lr_scale
        )  # fmt: skip
        last = self._last_numbers
        if found == last[0]:  # before thinc 9, where `step_schedules` makes numbers of schedules
            return last[1]
        told = {"key": key, "last_score": getattr(self, "last_score", None)}
        step = getattr(self, "_step", 0)
        said = tuple([_said(x, step, told) for x in found])
        if said != last[0]:
            self._last_numbers = last = (said, read(said))
        return last[1]

    def _slot(self, key: Any, known: Slot | None, found: Formula, weights: Any, t: int) -> Slot:
        """Return what steps a parameter, with the state that users see."""
        kept = self._kept()
        if (
            known is not None
            and known.ours is found.ours
            and known.shown_in(kept, key)
            and known.move(weights)
        ):
            return known
        before = {name: states.get(key) for name, states in kept.items()}
        options = {**found.fixed, **found.options}
        return Slot(found.ours, repr(key), weights, t - 1, before, **options)

    def _average(self, key: Any, weights: Any, name: str, moved: bool) -> Slot | None:
        """Return what steps a parameter's average."""
        if self.averages is None:
            return None
        found, slot = self.averages.get(key), self._averaged.get(key)
        if slot is not None and slot.array is found and not moved:
            return slot
        if found is None:
            found = np.zeros(weights.shape, np.float32)
        elif found.shape != weights.shape:
            raise ValueError(
                f"the average of parameter {name} has shape {found.shape}, wanted {weights.shape}"
            )
        if np.may_share_memory(found, weights):
            raise ValueError(
                f"parameter {name} and its average overlap; leave the block of use_params() first, "
                "or give the model copies of its weights, model.set_param(name, "
                "model.get_param(name).copy()), which are the averages after an exception in it"
            )
        if slot is not None and slot.array is found:
            return slot
        # Not its first step, which would be a copy.
        return Slot(EMA, f"{name} of averages", np.ascontiguousarray(found), 1, {})

    def __getstate__(self) -> Any:
        plain, slots = super().__getstate__()
        return plain, {name: value for name, value in slots.items() if name not in _OWN}


def _said(schedule: Any, step: int, told: dict[str, Any]) -> Any:
    """Return what a schedule says; a number is as it is."""
    if getattr(schedule, "_schedule", None) is _CONSTANT:  # mostly, and a call takes longer
        return schedule.attrs["rate"]
    return schedule(step, **told) if callable(schedule) else schedule


def _check(key: Any, weights: Any, gradient: Any) -> None:
    """Refuse what would fail when the weights have been stepped."""
    if not isinstance(gradient, np.ndarray):
        raise TypeError(
            f"the gradient of parameter {key!r} must be a NumPy array, as its weights are, "
            f"found {type(gradient).__name__}"
        )
    # A flat one is taken, as by thinc.
    if gradient.size != weights.size or (gradient.ndim > 1 and gradient.shape != weights.shape):
        raise ValueError(
            f"the gradient of parameter {key!r} has shape {gradient.shape}, wanted {weights.shape}"
        )
    if not gradient.flags.writeable:
        raise ValueError(
            f"the gradient of parameter {key!r} must be writable, since it is set to 0, "
            "found a read-only array; pass a copy"
        )
    if not weights.flags.writeable:
        raise ValueError(
            f"parameter {key!r} must be writable, found a read-only array; pass a copy"
        )
