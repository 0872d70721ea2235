"""Every optimizer in about ten lines of NumPy: the text to learn from, and the judge of the rest.

Each rule is written straight from its paper, in the paper's symbols.  The compiled core
must give the *same bits*, so these files may know nothing about the core: the two were written
apart from one formula and check each other.

What makes equal bits possible is that nothing here is left to chance:

* Only ``+ - * /``, ``sqrt``, comparison and selection.  IEEE 754 fixes the result of each.
* Every formula is evaluated as its parentheses say, from left to right.  ``(lr * g) / d`` and
  ``lr * (g / d)`` are the same mathematics but not the same bits.
* Scalars such as ``1 - beta`` or ``lr / (1 - beta**t)`` are Python floats (float64).  NumPy
  rounds a Python float once, to the array's type, when it meets a float32 array.  A
  ``np.float64`` would instead turn the whole array into float64, so none may come near one.
* ``max``, ``clamp`` and their like are spelled as a comparison and a choice, because that says
  what happens to NaN: a comparison with NaN is false.

In all rules ``p`` is the parameter, ``g`` its gradient (of the loss, at ``p``), ``lr`` the
learning rate, ``o`` the options, ``t`` the number of the step, counted from 1.  A rule returns
the new parameter and the new state.  It changes none of the arrays that it was given.

The rules are in one file for each family, with the family's table; here is what stands around
every rule.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

import numpy as np

from ferrostep.backends.reference import (
    averages,
    descent,
    factors,
    layers,
    leaders,
    matrices,
    models,
    moments,
    schedule_free,
    signs,
    squares,
    wrappers,
)
from ferrostep.backends.reference.measures import clip_factor, global_norm, tree_sum
from ferrostep.backends.reference.rows import added, put
from ferrostep.backends.reference.rule import Array, Options, Rows, Rule, States

__all__ = ["RULES", "clip_factor", "global_norm", "rounded", "tree_sum", "update", "update_all"]

#: By the name of the optimizer's class.
RULES: dict[str, Rule] = (
    descent.RULES
    | signs.RULES
    | squares.RULES
    | moments.RULES
    | leaders.RULES
    | layers.RULES
    | matrices.RULES
    | schedule_free.RULES
    | models.RULES
    | factors.RULES
    | averages.RULES
    | wrappers.RULES
)

#: Rules that decay the parameter themselves, at another time: if this is decoupled.
OWN_DECAY = {
    "ADOPT": True,
    "Adafactor": True,
    "Adan": True,
    "LAMB": True,
    "LARS": False,
    "NovoGrad": False,
    "ScheduleFreeAdamW": True,
    "ScheduleFreeSGD": True,
    "Prodigy": True,
    "StableAdamW": True,
}


def update_all(rule: str, steps: Sequence[tuple[Any, ...]]) -> list[tuple[Array, States]]:
    """One step of all parameters: each of `steps` is what `update` takes of one.

    So sums can be over all of them. The leaves of what their elements add fold to one sum, in the
    order of the parameters.
    """
    if rule not in models.TERMS:
        return [update(rule, *step) for step in steps]
    with np.errstate(all="ignore"):
        terms = []
        for p, g, state, options, t, _, scale in steps:
            ready = _before(rule, p, g, state, options, scale)
            terms.append(models.TERMS[rule](*ready, t))
        sums = [tree_sum(x.astype(np.float64) for x in each) for each in zip(*terms, strict=True)]
    return [
        update(rule, p, g, state, {**o, "sums": sums}, *rest) for p, g, state, o, *rest in steps
    ]


def update(
    rule: str,
    p: Array,
    gradient: Array | Rows,
    state: States,
    options: Options,
    t: int,
    fresh: Set[str],
    grad_scale: float = 1.0,
) -> tuple[Array, States]:
    """One step of one parameter: returns the new parameter and new state, writes nothing.

    ``rule`` is the optimizer's class name.  ``state`` holds the arrays that the class keeps, made
    with their first values before the first step; ``fresh`` names those made in this very step.
    All arithmetic is in float64 for a float64 parameter, else in float32: narrower arrays are
    widened first, and `rounded` rounds the results.  A gradient of another type is rounded once.
    A pair of indices and values is the gradient of these rows: no others are touched.
    """
    if rule in models.TERMS and "sums" not in options:  # of this parameter alone
        return update_all(rule, [(p, gradient, state, options, t, fresh, grad_scale)])[0]
    dtype = _computed(p)
    with np.errstate(all="ignore"):  # overflow and NaN are results here, not accidents
        if isinstance(gradient, tuple):
            rows, values = added(gradient, dtype)
            p, state = np.asarray(p, dtype), _widened(state, dtype)
            some = {name: _each(lambda x: x[rows], x) for name, x in state.items()}
            new_p, some = update(rule, p[rows], values, some, options, t, fresh, grad_scale)
            new = {
                name: x if type(x) is float else put(state[name], rows, x)
                for name, x in some.items()
            }
            return put(p, rows, new_p), new
        p, g, state, o = _before(rule, p, gradient, state, options, grad_scale)

        p, new = RULES[rule](p, g, state, o, t, fresh)

        if o["flush_subnormals"]:
            tiny = float(np.finfo(dtype).smallest_normal)
            new = {
                name: _each(lambda x: np.where(np.abs(x) < tiny, 0.0, x), x)
                for name, x in new.items()
            }
    # NumPy's arithmetic turns 0-d arrays into scalars; asarray turns them back.
    return np.asarray(p), {name: _each(np.asarray, x) for name, x in new.items()}


def rounded(old: Iterable[Array], new: Iterable[Array]) -> list[Array]:
    """Return new values for old arrays, each rounded once to the array's type, nearest-even."""
    with np.errstate(all="ignore"):
        return [np.asarray(b).astype(a.dtype) for a, b in zip(old, new, strict=True)]


def _computed(p: Array) -> type[np.floating[Any]]:
    return np.float64 if p.dtype.itemsize == 8 else np.float32


def _widened(state: States, dtype: type[np.floating[Any]]) -> States:
    return {name: _each(lambda x: np.asarray(x, dtype), x) for name, x in state.items()}


def _before(
    rule: str, p: Array, gradient: Array, state: States, options: Options, grad_scale: float
) -> tuple[Array, Array, States, dict[str, Any]]:
    """What a rule is given: all of the compute type, after scaling, `maximize` and weight decay."""
    o = {name: _plain(value) for name, value in options.items()}
    lr, weight_decay = o["lr"], o["weight_decay"]
    o["dtype"] = p.dtype.name  # Adafactor's eps hangs on it
    dtype = _computed(p)
    p, state = np.asarray(p, dtype), _widened(state, dtype)
    g = np.array(gradient, dtype)  # a copy: some rules remember g, and the caller's is not ours

    # What was not asked for is not done at all: even a multiplication by 1 is left out.
    if grad_scale != 1:  # the user's factor times that of clipping, one float64
        g = g * grad_scale
    if o["maximize"]:
        g = -g
    own_decay = OWN_DECAY.get(rule) == o["decoupled_weight_decay"]
    if weight_decay != 0 and not own_decay:
        if o["decoupled_weight_decay"]:  # Loshchilov & Hutter 2017, arXiv:1711.05101
            p = p * (1 - lr * weight_decay)
        else:  # the gradient of the penalty (weight_decay / 2) * p**2
            g = g + weight_decay * p
    return p, g, state, o


def _each(change: Callable[[Any], Any], x: Any) -> Any:
    """A state array changed; a number that is remembered as it is."""
    return x if type(x) is float else change(x)  # NumPy's float64 is a float, too


def _plain(value: Any) -> Any:
    """The same option without NumPy scalars: Python floats take on the type of the array."""
    if isinstance(value, tuple | list):
        return tuple(_plain(x) for x in value)
    return value.item() if isinstance(value, np.generic) else value
