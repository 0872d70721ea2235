"""Formulas as the papers have them, in numbers of 60 digits; they themselves are in `formulas/`.

They are written as the papers have them (with the corrected moments of Adam, for instance), not as
the reference evaluates them, and share no code with it.

Every model returns, beside the new parameter, the *size* of the update: what the update would
be if none of its sums cancelled (``|mu*v| + |lr*g|`` in place of ``mu*v - lr*g``).  An error is
counted in ULP of the larger of ``|p|`` and this size.  Nothing finer can be asked: where two
numbers cancel, their own rounding errors are all that is left.

One loss is not counted, because float64 itself imposes it: ``1 - 0.999**2`` is 0.002, and the
power is known to half a unit of a number near 1 only.  So the models, too, take ``beta**t`` as
the float64 nearest to it (and everything after that with 60 digits).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Numbers = dict[str, Decimal]
# A new state; with its own size where it is a sum that may cancel.
Found = Mapping[str, Decimal | tuple[Decimal, Decimal]]
# p, g before the decay, state
Element = tuple[Decimal, Decimal, Numbers]
# (p, g before the decay, state, options, step number) -> (new p, size of the update, new state)
Model = Callable[[Decimal, Decimal, Numbers, Any, int], tuple[Decimal, Decimal, Found]]


@dataclass(frozen=True)
class Formula:
    """A model, and how far a single step may be from it, in ULP: the parameter, and the state.

    The bounds are the largest errors over 40 seeds, rounded up to the next half.  Each rounding is
    an error of at most half an ULP, but they seldom all have one sign: the errors found are between
    a quarter and a half of an ULP for each, plus what decay adds.  Coupled decay adds three
    wherever g enters, decoupled decay two to p; in float32 the rounding of each scalar is one more.
    """

    model: Model
    p: float = 3.5
    state: float = 3.0
    #: What the rule takes from the whole tensor: the model finds it in its options, as "measured".
    measured: Callable[[list[Element], Any, int], Any] | None = None
    #: Whether what is remembered is of sums of numbers that were rounded to the compute type.
    of_rounded: bool = False


def exact(x: Any) -> Decimal:
    """Return the number that a float stands for, all digits of it."""
    return Decimal(float(x))


def decayed(p: Decimal, g: Decimal, o: Any) -> tuple[Decimal, Decimal, Decimal]:
    """Return p and g after weight decay and maximisation, and the size of g."""
    wd, lr = exact(o["weight_decay"]), exact(o["lr"])
    if o["maximize"]:
        g = -g
    if o["decoupled_weight_decay"]:
        return p - lr * wd * p, g, abs(g)
    return p, g + wd * p, abs(g) + wd * abs(p)


def nearest(x: Decimal) -> Decimal:
    """Return the float64 number nearest to ``x``."""
    return exact(float(x))


def cautious(model: Model, divisor: Callable[[Any], Decimal] = lambda o: Decimal(1)) -> Formula:
    """A rule's formula that may be asked for cautious steps; `divisor` comes after the step.

    What is measured is the share of elements whose step has the sign of their gradient.
    """

    def step(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Any, ...]:
        new, size, state = model(p, g, s, o, t)
        proximal = divisor(o) != 1
        kept, g, _ = decayed(p, g, {**o, "weight_decay": 0.0} if proximal else o)
        return kept, kept - new * divisor(o), g, new, size, state

    def share(elements: list[Element], o: Any, t: int) -> Decimal:
        steps = [step(*element, o, t) for element in elements]
        agree = sum(u * g > 0 for _, u, g, *_ in steps)
        return max(Decimal(agree) / len(steps), Decimal("0.001"))

    def masked(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Any, ...]:
        kept, u, g, new, size, state = step(p, g, s, o, t)
        if not o["cautious"]:
            return new, size, state
        u = u / o["measured"] if u * g > 0 else Decimal(0)
        return (kept - u) / divisor(o), size / o["measured"], state

    return Formula(masked, measured=share)
