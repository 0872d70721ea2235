"""Models of the rules that divide an average of gradients by the root of an average of squares."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ferrostep as fs
from cases import SparseAdam
from support.exact import Formula, Found, Numbers, cautious, decayed, exact, nearest


def adam(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        v = max(v, s["max_exp_avg_sq"])
        new["max_exp_avg_sq"] = v
    m_hat, v_hat, eps_hat = m, v, eps
    if o["bias_correction"]:
        rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
        m_hat, v_hat, large = m / rest1, v / rest2, large / rest1
        if o["epsilon_hat"]:
            eps_hat = eps / rest2.sqrt()
    root = v_hat.sqrt() + eps_hat
    return p - lr * m_hat / root, lr * large / root, new


def nadam(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, psi, (b1, b2) = o["lr"], exact(o["eps"]), o["momentum_decay"], map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    left = [Decimal(0) if psi == math.inf else exact(0.96) ** exact(i * psi) for i in (t, t + 1)]
    mu, following = (b1 * (1 - x / 2) for x in left)
    product = s["mu_product"] * mu
    # As beta**t, a product near 1 is known to half a unit of a number near 1 only.
    product, following_product = nearest(product), nearest(product * following)
    from_g = exact(lr) * (1 - mu) / (1 - product)
    from_m = exact(lr) * following / (1 - following_product)
    divisor = (v / (1 - nearest(b2**t))).sqrt() + eps
    return (
        p - (from_g * g + from_m * m) / divisor,
        (from_g * size + from_m * large) / divisor,
        {"exp_avg": m, "exp_avg_sq": v, "mu_product": product},
    )


def adamax(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    inside, outside = (eps, 0) if o["eps_inside_max"] else (0, eps)
    u = max(b2 * s["exp_inf"], abs(g) + inside)
    rate = lr / (1 - nearest(b1**t)) / (u + outside)
    return p - rate * m, rate * large, {"exp_avg": m, "exp_inf": u}


def radam(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    power2 = nearest(b2**t)
    rest1, rest2 = 1 - nearest(b1**t), 1 - power2
    rho_inf = 2 / (1 - b2) - 1
    rho = rho_inf - 2 * t * power2 / rest2
    rate = lr / rest1
    if rho > 5:
        r = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        eps_hat = eps / rest2.sqrt() if o["epsilon_hat"] else eps
        rate *= r.sqrt() / ((v / rest2).sqrt() + eps_hat)
    return p - rate * m, rate * large, {"exp_avg": m, "exp_avg_sq": v}


def adabelief(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    var = b2 * s["exp_avg_var"] + (1 - b2) * (g - m) ** 2 + exact(o["eps_root"])
    rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
    rate = lr / rest1 / ((var / rest2).sqrt() + eps)
    return p - rate * m, rate * large, {"exp_avg": m, "exp_avg_var": var}


def yogi(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    old = s["exp_avg_sq"]
    v = old - (1 - b2) * ((old > g**2) - (old < g**2)) * g**2
    rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
    rate = lr / rest1 / ((v / rest2).sqrt() + eps)
    return p - rate * m, rate * large, {"exp_avg": m, "exp_avg_sq": v}


def adopt(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    old = p
    p, g, size = decayed(p, g, o)
    if t == 1:
        return old, abs(old), {"exp_avg": s["exp_avg"], "exp_avg_sq": g**2}
    root = max(s["exp_avg_sq"].sqrt(), eps)
    n, large = g / root, size / root
    if o["clip_exponent"] is not None:
        bound = Decimal(t - 1) ** exact(o["clip_exponent"])
        n = min(max(n, -bound), bound)
    m = b1 * s["exp_avg"] + (1 - b1) * n
    large = b1 * abs(s["exp_avg"]) + (1 - b1) * large
    return (
        p - lr * m,
        lr * large,
        {"exp_avg": m, "exp_avg_sq": b2 * s["exp_avg_sq"] + (1 - b2) * g**2},
    )


def adan(p: Decimal, g: Decimal, s: Numbers, o: Any, t: int) -> tuple[Decimal, Decimal, Found]:
    lr, eps, (b1, b2, b3) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    proximal = o["decoupled_weight_decay"] and not o["no_prox"]
    p, g, size = decayed(p, g, {**o, "weight_decay": 0.0} if proximal else o)
    d, change = (g - s["prev"], size + abs(s["prev"])) if t > 1 else (Decimal(0), Decimal(0))
    m = b1 * s["exp_avg"] + (1 - b1) * g
    w = b2 * s["exp_avg_diff"] + (1 - b2) * d
    h = g + b2 * d
    n = b3 * s["exp_avg_sq"] + (1 - b3) * h**2
    large_m = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    large_w = b2 * abs(s["exp_avg_diff"]) + (1 - b2) * change
    large_n = b3 * s["exp_avg_sq"] + (1 - b3) * (size + b2 * change) ** 2
    rest1, rest2, rest3 = (1 - nearest(b**t) for b in (b1, b2, b3))
    rate = lr / ((n / rest3).sqrt() + eps)
    keep = 1 / (1 + lr * exact(o["weight_decay"])) if proximal else 1
    return (
        keep * (p - rate * (m / rest1 + b2 * w / rest2)),
        keep * rate * (large_m / rest1 + b2 * large_w / rest2),
        {
            "exp_avg": (m, large_m),
            "exp_avg_diff": (w, large_w),
            "exp_avg_sq": (n, large_n),
            "prev": g,
        },
    )


def _proximal(o: Any) -> Decimal:
    own = o["decoupled_weight_decay"] and not o["no_prox"]
    return 1 + exact(o["lr"]) * exact(o["weight_decay"]) if own else Decimal(1)


def ademamix(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    lr, eps, (b1, b2, b3) = exact(o["lr"]), exact(o["eps"]), map(exact, o["betas"])
    p, g, size = decayed(p, g, o)
    alpha = exact(o["alpha"])
    if o["t_alpha"] is not None:
        alpha = min(t * alpha / exact(o["t_alpha"]), alpha)
    if o["t_beta3"] is not None:
        past = t / exact(o["t_beta3"])
        shorter, longer = b1.ln(), b3.ln()
        grown = (shorter * longer / ((1 - past) * longer + past * shorter)).exp()
        b3 = min(nearest(grown), b3)
    m = b1 * s["exp_avg"] + (1 - b1) * g
    w = b3 * s["exp_avg_slow"] + (1 - b3) * g
    v = b2 * s["exp_avg_sq"] + (1 - b2) * g**2
    rest1, rest2 = 1 - nearest(b1**t), 1 - nearest(b2**t)
    rate = lr / ((v / rest2).sqrt() + eps)
    large_m = b1 * abs(s["exp_avg"]) + (1 - b1) * size
    large_w = b3 * abs(s["exp_avg_slow"]) + (1 - b3) * size
    return (
        p - rate * (m / rest1 + alpha * w),
        rate * (large_m / rest1 + alpha * large_w),
        {"exp_avg": m, "exp_avg_slow": w, "exp_avg_sq": v},
    )


def sparse_adam(
    p: Decimal, g: Decimal, s: Numbers, o: Any, t: int
) -> tuple[Decimal, Decimal, Numbers]:
    plain = {"amsgrad": False, "bias_correction": True, "epsilon_hat": True}
    return adam(p, g, s, {**o, **plain}, t)


FORMULAS: dict[type[fs.Optimizer], Formula] = {
    # k = 13: step*m 5, root of v 3, times s 2, eps, quotient, subtraction
    fs.Adam: replace(cautious(adam), p=4.0, state=2.5),
    fs.AdamW: replace(cautious(adam), p=4.0, state=2.5),  # as Adam, and the decay
    # k = 16: both parts of the step 5 and 5, their sum, root of v 3, times s, eps, the quotient
    fs.NAdam: replace(cautious(nadam), p=5.0, state=2.5),
    # k = 8: step*m 5, the quotient, the subtraction; u 2
    fs.Adamax: Formula(adamax, p=2.5, state=2.5),
    # Adam's but for r: of two numbers near 2,000 their difference, near 6, is left
    fs.RAdam: Formula(radam, p=95.5, state=2.5),
    # k = 15: Adam's, and d 2
    fs.AdaBelief: Formula(adabelief, p=4.0),
    # k = 13: Adam's
    fs.Yogi: Formula(yogi, p=5.5, state=2.5),
    # k = 8: root, quotient 2, average 3, lr, the subtraction
    fs.ADOPT: Formula(adopt, p=4.0),
    # k = 17: both products 5 and 6, their sum, root of n 5, times s 2, eps, quotient; the state
    # is n: h 3, and twice that in its square
    fs.Adan: replace(cautious(adan, _proximal), p=3.5, state=4.0),
    # k = 15: Adam's, a second product and the sum
    fs.AdEMAMix: Formula(ademamix, p=3.5, state=2.5),
    # k = 11: Adam's, without s
    SparseAdam: Formula(sparse_adam, p=2.5, state=2.5),
}
