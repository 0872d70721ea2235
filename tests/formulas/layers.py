"""Models of the rules whose rate is another for each tensor."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ferrostep as fs
from support.exact import Element, Formula, Found, Numbers, decayed, exact, nearest


def _norm(numbers: list[Decimal]) -> Decimal:
    return sum((x * x for x in numbers), Decimal(0)).sqrt()


def _own(o: Any, *, decoupled: bool) -> tuple[Decimal, Any]:
    """The decay that is the rule's own, if it is of this kind; options for what comes before."""
    if o["decoupled_weight_decay"] == decoupled:
        return exact(o["weight_decay"]), o | {"weight_decay": 0.0}
    return Decimal(0), o


def _lamb(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Any, ...]:
    eps, (b1, b2) = exact(o["eps"]), map(exact, o["betas"])
    wd, before = _own(o, decoupled=True)
    p, g, size = decayed(p, g, before)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    rest1, rest2 = Decimal(1), Decimal(1)
    if o["bias_correction"]:
        rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
    root = (v / rest2).sqrt() + eps
    u = m / rest1 / root + wd * p
    return p, u, large / rest1 / root + wd * abs(p), {"exp_avg": m, "exp_avg_sq": v}


def lamb_ratio(elements: list[Element], o: Any, t: int) -> Decimal:
    made = [_lamb(*element, o, t) for element in elements]
    norm, of_u = _norm([p for p, *_ in made]), _norm([u for _, u, *_ in made])
    ratio = norm / of_u if norm and of_u else Decimal(1)
    return min(ratio, Decimal(1)) if o["trust_clip"] else ratio


def lamb(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    p, u, large, new = _lamb(p, g, s, o, t)
    rate = exact(o["lr"]) * o["measured"]
    return p - rate * u, rate * large, new


def lars_ratio(elements: list[Element], o: Any, t: int) -> Decimal:
    wd, before = _own(o, decoupled=False)
    given = [decayed(p, g, before) for p, g, _ in elements]
    norm, of_g = _norm([p for p, *_ in given]), _norm([g for _, g, _ in given])
    if not norm or not of_g:
        return Decimal(1)
    ratio = exact(o["trust_coefficient"]) * norm / (of_g + wd * norm + exact(o["eps"]))
    return min(ratio / exact(o["lr"]), Decimal(1)) if o["trust_clip"] else ratio


def lars(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    lr, mu, damp = exact(o["lr"]), exact(o["momentum"]), exact(o["dampening"])
    wd, before = _own(o, decoupled=False)
    p, g, size = decayed(p, g, before)
    d, old = o["measured"] * (g + wd * p), s["momentum_buffer"]
    size = o["measured"] * (size + wd * abs(p))
    buf = d if t == 1 else mu * old + (1 - damp) * d
    large = size if t == 1 else mu * abs(old) + abs(1 - damp) * size
    step, length = (d + mu * buf, size + mu * large) if o["nesterov"] else (buf, large)
    return p - lr * step, lr * length, {"momentum_buffer": (buf, large)}


def novograd_v(elements: list[Element], o: Any, t: int) -> Decimal:
    _, before = _own(o, decoupled=False)
    q = sum((decayed(p, g, before)[1] ** 2 for p, g, _ in elements), Decimal(0))
    b2 = exact(o["betas"][1])
    return q if t == 1 else b2 * elements[0][2]["exp_avg_sq"] + (1 - b2) * q


def novograd(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    lr, b1, v = exact(o["lr"]), exact(o["betas"][0]), o["measured"]
    wd, before = _own(o, decoupled=False)
    p, g, size = decayed(p, g, before)
    divisor, old = v.sqrt() + exact(o["eps"]), s["exp_avg"] if t > 1 else Decimal(0)
    m = b1 * old + g / divisor + wd * p
    large = b1 * abs(old) + size / divisor + wd * abs(p)
    return p - lr * m, lr * large, {"exp_avg": (m, large), "exp_avg_sq": v}


def _stable(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Any, ...]:
    b1, b2 = map(exact, o["betas"])
    part_m, part_v = (1 - b1) / (1 - nearest(b1**t)), (1 - b2) / (1 - nearest(b2**t))
    wd, before = _own(o, decoupled=True)
    p, g, size = decayed(p, g, before)
    m = (1 - part_m) * s["exp_avg"] + part_m * g
    large = (1 - part_m) * abs(s["exp_avg"]) + part_m * size
    return p, g, wd, m, large, (1 - part_v) * s["exp_avg_sq"] + part_v * g**2


def stable_rate(elements: list[Element], o: Any, t: int) -> Decimal:
    made = [_stable(*element, o, t) for element in elements]
    least = exact(o["eps"]) ** 2
    mean = sum((g**2 / max(v, least) for _, g, *_, v in made), Decimal(0)) / len(made)
    return exact(o["lr"]) / max(mean.sqrt(), Decimal(1))


def stable_adamw(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Found]:
    rate = o["measured"]
    p, _, wd, m, large, v = _stable(p, g, s, o, t)
    root = v.sqrt() + exact(o["eps"])
    new = {"exp_avg": (m, large), "exp_avg_sq": v}
    return p * (1 - rate * wd) - rate * m / root, rate * large / root, new


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 15: Adam's u, the decay 2 and their sum, the rate 2, the subtraction
    fs.LAMB: Formula(lamb, p=4.5, state=2.5, measured=lamb_ratio),
    # k = 12: g + wd*p 2, the ratio 2, buf 3, Nesterov's sum 2, the rate, the subtraction
    fs.LARS: Formula(lars, p=4.5, state=4.5, measured=lars_ratio),
    # k = 9: g by its norm 2, the decay 2, m 2, the rate, the subtraction
    fs.NovoGrad: Formula(novograd, p=3.0, state=3.0, measured=novograd_v),
    # k = 12: the rate and m 5, root of v 3, eps, the quotient, the decay, the subtraction
    fs.StableAdamW: Formula(stable_adamw, p=3.5, state=2.0, measured=stable_rate),
}
