"""Loops as other codes write them, by hand, and the options that are the same to the bit."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES
from support.arrays import Array, assert_same_bits, gradients

#: Takes a gradient at each `yield`, and moves the parameter in place.
Loop = Generator[None, Array, None]

STEPS = 9
SHAPES = [(7,), (3, 5), (1031,)]

each_backend = pytest.mark.parametrize("backend", ["native", "reference"])
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def follow(by_hand: Callable[[Array], Loop], dtype: Any, make: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(7)
    ours: list[Array] = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    theirs = [p.copy() for p in ours]
    loops = [by_hand(p) for p in theirs]
    for loop in loops:
        next(loop)
    opt = make(ours)
    for t in range(STEPS):
        grads = [gradients(rng, p.shape, dtype) for p in ours]
        opt.step(grads)
        for i, (loop, g) in enumerate(zip(loops, grads, strict=True)):
            loop.send(g)
            assert_same_bits(ours[i], theirs[i], f"step {t + 1}, parameter {i}")


@each_backend
@each_dtype
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_momentum_as_an_average(decay: float, dtype: Any, backend: Any) -> None:
    def by_hand(p: Array) -> Loop:
        v = np.zeros_like(p)
        while True:
            g = yield
            g = g + decay * p
            v = 0.9 * v + (1 - 0.9) * g
            p -= 0.1 * v

    follow(by_hand, dtype, lambda p: fs.SGD(
        p, lr=0.1, momentum=0.9, average=True, weight_decay=decay, backend=backend
    ))  # fmt: skip


def test_dampening_takes_the_first_gradient_whole() -> None:
    """Torch's meaning: ten times what the average takes of it with a momentum of 0.9."""
    dampened, averaged, g = np.zeros(5), np.zeros(5), np.arange(5.0)
    fs.SGD([dampened], lr=1.0, momentum=0.9, dampening=0.9).step([g])
    fs.SGD([averaged], lr=1.0, momentum=0.9, average=True).step([g])
    assert_same_bits(dampened, 0.0 - g)
    assert_same_bits(averaged, 0.0 - (1 - 0.9) * g)


@each_backend
@each_dtype
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_gains_by_the_sign(decay: float, dtype: Any, backend: Any) -> None:
    """As t-SNE in C++ and TriMap write it.

    They have ``lr*gain*g``, we ``lr*(gain*g)``: the same bits where the rate is a power of two.
    """

    def by_hand(p: Array) -> Loop:
        v, gains = np.zeros_like(p), np.ones_like(p)
        while True:
            g = yield
            g = g + decay * p
            differ = np.sign(v) != np.sign(g)
            gains = np.where(differ, gains + 0.2, gains * 0.8)
            gains[gains < 0.01] = 0.01
            v = 0.8 * v - 0.25 * gains * g
            p += v

    follow(by_hand, dtype, lambda p: fs.AdaptiveGains(
        p, lr=0.25, beta=0.2, min_gain=0.01, max_gain=float("inf"), momentum=0.8, compare="sign",
        weight_decay=decay, backend=backend,
    ))  # fmt: skip


def test_the_forms_of_gains_at_zeros() -> None:
    """Each row has other signs of the gradient and the velocity: where does the gain grow?"""
    signs = [(g, v) for g in (1.0, 0.0, -1.0) for v in (1.0, 0.0, -1.0)]
    g, v = map(np.array, zip(*signs, strict=True))
    grows = {}
    for compare in ("velocity", "sign"):
        opt = fs.AdaptiveGains([np.zeros(9)], momentum=0.5, compare=compare)
        opt.step([np.zeros(9)])
        opt.state[0]["velocity"][...] = v
        opt.state[0]["gain"][...] = 1.0
        opt.step([g])
        grows[compare] = opt.state[0]["gain"] > 1
    np.testing.assert_array_equal(grows["velocity"], g * v < 0)  # scikit-learn's line
    np.testing.assert_array_equal(grows["sign"], np.sign(v) != np.sign(g))


@each_backend
@each_dtype
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("cls", [fs.Adam, fs.AdamW])
def test_federated_adam(cls: Any, decay: float, dtype: Any, backend: Any) -> None:
    """Reddi et al. 2020, algorithm 2, where the pseudo-gradient is minus what we call ``g``."""
    eta, tau, (b1, b2) = 0.1, 1e-3, (0.9, 0.99)

    def by_hand(p: Array) -> Loop:
        m, v = np.zeros_like(p), np.full_like(p, tau**2)
        while True:
            g = yield
            if cls is fs.Adam:
                g = g + decay * p
            else:
                p *= 1 - eta * decay
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * (g * g)
            p -= eta * m / (np.sqrt(v) + tau)

    follow(by_hand, dtype, lambda p: cls(
        p, lr=eta, betas=(b1, b2), eps=tau, bias_correction=False,
        initial_accumulator_value=tau**2, weight_decay=decay, backend=backend,
    ))  # fmt: skip


@each_backend
def test_the_greatest_average_starts_at_zero(backend: Any) -> None:
    """What is great is an average that some step has made: 0.99 of the first value, not it."""
    opt = fs.Adam(
        [np.ones(5)], betas=(0.9, 0.99), amsgrad=True, initial_accumulator_value=2.0,
        backend=backend,
    )  # fmt: skip
    opt.step([np.zeros(5)])
    assert_same_bits(opt.state[0]["max_exp_avg_sq"], np.full(5, 0.99 * 2.0))


@pytest.mark.parametrize("root", [np.sqrt, lambda x: float(np.sqrt(x))])
def test_a_float32_loop_has_our_bits_unless_it_computes_in_float64(root: Any) -> None:
    """README's remark: under NumPy 2 a ``np.float64`` makes a float32 array float64."""
    rng = np.random.default_rng(3)
    p = rng.standard_normal(1031).astype(np.float32)
    q = p.copy()
    opt = fs.Adam([p], lr=1e-3)
    m, v = np.zeros_like(q), np.zeros_like(q)
    for t in range(1, 10):
        g = rng.standard_normal(q.shape).astype(np.float32)
        opt.step([g])
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * (g * g)
        scale = 1 / root(1 - 0.999**t)
        d = 1e-3 / (1 - 0.9**t) * m / (np.sqrt(v) * scale + 1e-8)
        q -= d
    narrow = d.dtype == np.float32
    assert narrow == (root is not np.sqrt)
    assert np.array_equal(p, q) == narrow
    np.testing.assert_allclose(p, q, rtol=1e-5)
