"""Models of the rules that keep factors of a matrix: here of what is no matrix."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Element, Formula, Found, Numbers, decayed, exact

#: Of the types that are measured.
EPS = {"f4": Decimal(2) ** -23, "f8": Decimal(2) ** -52}


def constants(o: Any) -> tuple[Decimal, Decimal, Decimal]:
    """What is added to squares, what the mean of rows and the average of squares are at least."""
    eps, original = o["eps"][0], o["form"] == "original"
    if eps is None:
        eps = 1e-30 if original else EPS[o["of"]]
    return (
        (exact(eps), Decimal(0), Decimal(0))
        if original
        else (Decimal(0), exact(eps), exact(eps) ** 2)
    )


def rms(numbers: list[Decimal]) -> Decimal:
    return (sum((x * x for x in numbers), Decimal(0)) / len(numbers)).sqrt()


def rate(params: list[Decimal], updates: list[Decimal], o: Any, t: int) -> Decimal:
    """The one that all elements of a tensor have."""
    found = exact(o["lr"])
    if o["relative_step"]:
        found = min(found, 1 / Decimal(t).sqrt())
    if o["scale_parameter"]:
        found *= max(exact(o["eps"][1]), rms(params))
    return found / max(Decimal(1), rms(updates) / exact(o["d"]))


def kept(p: Decimal, o: Any) -> Decimal:
    """The parameter after its decay."""
    return p - exact(o["lr"]) * exact(o["weight_decay"]) * p if o["decoupled_weight_decay"] else p


def _made(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, ...]:
    added, _, least = constants(o)
    coupled = o["weight_decay"] if not o["decoupled_weight_decay"] else 0.0
    _, g, size = decayed(p, g, {**o, "weight_decay": coupled, "decoupled_weight_decay": False})
    part = Decimal(t) ** exact(o["beta2_decay"])
    v = (1 - part) * s["variance"] + part * (g * g + added)
    root = max(v, least).sqrt()
    return g / root, size / root, v


def adafactor_rate(elements: list[Element], o: Any, t: int) -> Decimal:
    return rate([p for p, *_ in elements], [_made(*one, o, t)[0] for one in elements], o, t)


def adafactor(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    u, size, v = _made(p, g, s, o, t)
    return kept(p, o) - o["measured"] * u, o["measured"] * size, {"variance": v}


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 11: v 4, its root 2, the quotient, the rate 2, the decay, the subtraction
    fs.Adafactor: Formula(adafactor, p=3.5, state=2.5, measured=adafactor_rate),
}
