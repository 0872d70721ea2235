"""The papers' algorithms, by hand and in the papers' letters: each takes a parameter through."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any


def momentum(theta: Array, grads: list[Array], epsilon: float, mu: float) -> Array:
    v = np.zeros_like(theta)
    for g in grads:
        v = mu * v - epsilon * g
        theta = theta + v
    return theta


def nag(ahead: Array, grads: list[Array], epsilon: float, mu: float) -> Array:
    """The gradients are those at theta + mu*v, which is what comes back, too."""
    theta, v = ahead, np.zeros_like(ahead)
    for g in grads:
        v = mu * v - epsilon * g
        theta = theta + v
    return theta + mu * v


def irprop_minus(
    w: Array,
    grads: list[Array],
    delta_0: float = 0.1,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    delta_min: float = 1e-6,
    delta_max: float = 50.0,
) -> Array:
    delta, before = np.full_like(w, delta_0), np.zeros_like(w)
    for g in grads:
        grown = np.minimum(delta * eta_plus, delta_max)
        shrunk = np.maximum(delta * eta_minus, delta_min)
        turned = before * g < 0
        delta = np.where(before * g > 0, grown, np.where(turned, shrunk, delta))
        before = np.where(turned, 0, g)
        w = w - np.sign(before) * delta
    return w


def rmsprop(
    w: Array, grads: list[Array], learning_rate: float, decay: float = 0.9, epsilon: float = 1e-8
) -> Array:
    mean_square = np.zeros_like(w)
    for g in grads:
        mean_square = decay * mean_square + (1 - decay) * g**2
        w = w - learning_rate * g / (np.sqrt(mean_square) + epsilon)
    return w


def adagrad(x: Array, grads: list[Array], eta: float, delta: float) -> Array:
    for t in range(len(grads)):
        s = np.sqrt(sum(g**2 for g in grads[: t + 1]))
        x = x - eta / (delta + s) * grads[t]
    return x


def adadelta(x: Array, grads: list[Array], rho: float = 0.95, epsilon: float = 1e-6) -> Array:
    eg, ex = np.zeros_like(x), np.zeros_like(x)
    for g in grads:
        eg = rho * eg + (1 - rho) * g**2
        delta = -np.sqrt(ex + epsilon) / np.sqrt(eg + epsilon) * g
        ex = rho * ex + (1 - rho) * delta**2
        x = x + delta
    return x


def adam(
    theta: Array,
    grads: list[Array],
    alpha: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Array:
    return adamw(theta, grads, 0.0, alpha, beta1, beta2, epsilon)


def adamw(
    theta: Array,
    grads: list[Array],
    weight_decay: float,
    alpha: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Array:
    """The decay stands beside alpha."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - (alpha * m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * theta)
    return theta


def amsgrad(
    x: Array,
    grads: list[Array],
    alpha: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Array:
    m, v, v_hat = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for g in grads:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_hat = np.maximum(v_hat, v)
        x = x - alpha * m / (np.sqrt(v_hat) + epsilon)
    return x


def fed_adam(
    x: Array, grads: list[Array], eta: float, tau: float, beta1: float = 0.9, beta2: float = 0.99
) -> Array:
    m, v = np.zeros_like(x), np.full_like(x, tau**2)
    for g in grads:
        delta = -g
        m = beta1 * m + (1 - beta1) * delta
        v = beta2 * v + (1 - beta2) * delta**2
        x = x + eta * m / (np.sqrt(v) + tau)
    return x


def lion(
    theta: Array,
    grads: list[Array],
    eta: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.99,
) -> Array:
    m = np.zeros_like(theta)
    for g in grads:
        c = beta1 * m + (1 - beta1) * g
        theta = theta - eta * (np.sign(c) + weight_decay * theta)
        m = beta2 * m + (1 - beta2) * g
    return theta


def signum(x: Array, grads: list[Array], delta: float, beta: float) -> Array:
    m = np.zeros_like(x)
    for g in grads:
        m = beta * m + (1 - beta) * g
        x = x - delta * np.sign(m)
    return x


def adopt(
    theta: Array,
    grads: list[Array],
    alpha: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.9999,
    epsilon: float = 1e-6,
) -> Array:
    m, v = np.zeros_like(theta), grads[0] ** 2
    for t, g in enumerate(grads[1:], 1):
        bound = t**0.25
        m = beta1 * m + (1 - beta1) * np.clip(g / np.maximum(np.sqrt(v), epsilon), -bound, bound)
        theta = theta - alpha * m
        v = beta2 * v + (1 - beta2) * g**2
    return theta


def adan(
    theta: Array,
    grads: list[Array],
    eta: float,
    weight_decay: float,
    beta1: float = 0.98,
    beta2: float = 0.92,
    beta3: float = 0.99,
    epsilon: float = 1e-8,
) -> Array:
    m, v, n = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        d = g - grads[t - 2] if t > 1 else np.zeros_like(g)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * d
        n = beta3 * n + (1 - beta3) * (g + beta2 * d) ** 2
        m_hat, v_hat, n_hat = m / (1 - beta1**t), v / (1 - beta2**t), n / (1 - beta3**t)
        theta = theta - eta * (m_hat + beta2 * v_hat) / (np.sqrt(n_hat) + epsilon)
        theta = theta / (1 + weight_decay * eta)
    return theta


def ademamix(
    theta: Array,
    grads: list[Array],
    eta: float,
    alpha: float,
    T: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    beta3: float = 0.9999,
    epsilon: float = 1e-8,
) -> Array:
    m1, m2, nu = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    start, end = math.log(beta1), math.log(beta3)
    for t, g in enumerate(grads, 1):
        slow = start * end / ((1 - t / T) * end + t / T * start)
        beta3_t, alpha_t = min(math.exp(slow), beta3), min(t * alpha / T, alpha)
        m1 = beta1 * m1 + (1 - beta1) * g
        m2 = beta3_t * m2 + (1 - beta3_t) * g
        nu = beta2 * nu + (1 - beta2) * g**2
        m1_hat, nu_hat = m1 / (1 - beta1**t), nu / (1 - beta2**t)
        update = (m1_hat + alpha_t * m2) / (np.sqrt(nu_hat) + epsilon) + weight_decay * theta
        theta = theta - eta * update
    return theta


def lars(
    w: Array,
    grads: list[Array],
    gamma: float,
    m: float = 0.9,
    eta: float = 0.001,
    beta: float = 0.0005,
) -> Array:
    v = np.zeros_like(w)
    for g in grads:
        norms = math.sqrt((w * w).sum()), math.sqrt((g * g).sum())
        rate = eta * norms[0] / (norms[1] + beta * norms[0])
        v = m * v + gamma * rate * (g + beta * w)
        w = w - v
    return w


def stable_adamw(
    theta: Array,
    grads: list[Array],
    alpha: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.99,
    epsilon: float = 1e-6,
) -> Array:
    v, u = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        first = beta1 * (1 - beta1 ** (t - 1)) / (1 - beta1**t)
        second = beta2 * (1 - beta2 ** (t - 1)) / (1 - beta2**t)
        v = first * v + (1 - first) * g
        u = second * u + (1 - second) * g**2
        rms = math.sqrt((g**2 / np.maximum(u, epsilon**2)).mean())
        eta = alpha / max(1, rms)
        theta = theta - eta * weight_decay * theta - eta * v / (np.sqrt(u) + epsilon)
    return theta


PAPERS = {
    "Momentum": momentum,
    "NAG": nag,
    "IRpropMinus": irprop_minus,
    "RMSProp": rmsprop,
    "AdaGrad": adagrad,
    "AdaDelta": adadelta,
    "Adam": adam,
    "AMSGrad": amsgrad,
    "AdamW": adamw,
    "FedAdam": fed_adam,
    "Lion": lion,
    "Signum": signum,
    "ADOPT": adopt,
    "Adan": adan,
    "AdEMAMix": ademamix,
    "LARS": lars,
    "StableAdamW": stable_adamw,
}
