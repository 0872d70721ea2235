"""Averages of weights: torch's numbers, in every structure, type and layout."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from ferrostep.averages import EMA, Mean
from support.arrays import TIERS, Array, assert_same_bits, running_on

DTYPES = [np.float32, np.float64]


def weights(dtype: Any = np.float32, updates: int = 6) -> list[Array]:
    rng = np.random.default_rng(3)
    walk = rng.standard_normal((updates, 9, 5)).cumsum(0)
    return [np.asarray(w, dtype) for w in walk]


def lerp(e: Array, p: Array, weight: float, *, fused: bool) -> Array:
    """torch's (ATen/native/Lerp.h), and as its vectorised CPU kernels fuse it (LerpKernel.cpp)."""
    w = e.dtype.type(weight)
    base, factor = (e, w) if w < 0.5 else (p, w - e.dtype.type(1))
    if not fused:
        return base + factor * (p - e)
    once = [
        Fraction(float(b)) + Fraction(float(factor)) * Fraction(float(d))
        for b, d in zip(base.flat, (p - e).flat, strict=True)
    ]
    return np.array([nearest(x, e.dtype) for x in once], e.dtype).reshape(e.shape)


def nearest(x: Fraction, dtype: Any) -> Any:
    """The number of this type that is nearest to an exact one, ties to even."""
    if dtype == np.float64:
        return x.numerator / x.denominator  # rounded once by CPython
    close = np.float32(x.numerator / x.denominator)
    around = [np.nextafter(close, -np.inf), close, np.nextafter(close, np.inf)]
    return min(around, key=lambda y: (abs(Fraction(float(y)) - x), y.view(np.uint32) & 1))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.5, 0.75, 0.999, 1.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ema_is_torch_s_lerp(dtype: Any, decay: float, tier: str) -> None:
    p = np.empty((9, 5), dtype)
    ema = EMA(p, decay)
    wanted = weights(dtype)[0]
    with running_on(tier, 2):
        for t, w in enumerate(weights(dtype)):
            p[...] = w
            if t > 0:
                wanted = lerp(wanted, w, 1 - decay, fused=False)
            ema.update()
            assert_same_bits(ema.averages[0], wanted)
    assert ema.updates == 6


@pytest.mark.parametrize("decay", [0.3, 0.45, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("dtype", DTYPES)
def test_ema_is_one_unit_from_torch_s_fused_kernels(dtype: Any, decay: float) -> None:
    e, worst = weights(dtype)[0], 0.0
    for p in weights(dtype, 40)[1:]:
        one, fused = (lerp(e, p, 1 - decay, fused=how) for how in (False, True))
        largest = np.maximum(np.maximum(abs(e), abs(p)), abs(p - e))
        worst = max(worst, float((abs(one - fused) / np.spacing(largest)).max()))
        e = one
    assert 0 < worst <= 1


def test_ema_is_keras_and_tensorflow_s_but_for_roundings() -> None:
    """Keras: ``momentum*average + (1 - momentum)*variable``; TensorFlow's is below."""
    p = np.empty((9, 5))
    ema = EMA(p, 0.9)
    keras = tensorflow = weights(np.float64)[0]
    for t, w in enumerate(weights(np.float64)):
        p[...] = w
        ema.update()
        if t > 0:
            keras = 0.9 * keras + (1 - 0.9) * w
            tensorflow = tensorflow - (1 - 0.9) * (tensorflow - w)
    np.testing.assert_allclose(ema.averages[0], keras, rtol=1e-13)
    assert_same_bits(ema.averages[0], tensorflow)


def test_warmup() -> None:
    p = np.empty((9, 5))
    ema = EMA(p, 0.3, warmup=True)
    wanted = weights(np.float64)[0]
    for t, w in enumerate(weights(np.float64), 1):
        p[...] = w
        ema.update()
        if t > 1:
            wanted = lerp(wanted, w, 1 - min(0.3, (1 + t) / (10 + t)), fused=False)
        assert_same_bits(ema.averages[0], wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mean_has_torch_s_bits(dtype: Any) -> None:
    """``averaged + (p - averaged) / (num_averaged + 1)`` of get_swa_avg_fn, which CPUs use."""
    p = np.empty((9, 5), dtype)
    mean = Mean({"p": p})
    wanted = np.zeros((9, 5), dtype)
    for n, w in enumerate(weights(dtype)):
        p[...] = w
        wanted = w if n == 0 else wanted + (w - wanted) / dtype(n + 1)
        mean.update()
        assert_same_bits(mean.averages["p"], wanted)
    np.testing.assert_allclose(wanted, np.mean(weights(np.float64), axis=0), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_parameters_have_float32_averages(dtype: Any) -> None:
    p = np.ones(5, dtype)
    ema, narrow = EMA([p], 0.999), EMA([p], 0.999, dtype=dtype)
    for _ in range(3):
        ema.update()
        narrow.update()
        p += dtype(1)
    assert ema.averages[0].dtype == np.float32
    assert (ema.averages[0] > 1).all()
    assert (narrow.averages[0] == (1 if dtype is ml_dtypes.bfloat16 else narrow.averages[0])).all()
    assert narrow.averages[0].dtype == dtype
    shown = ema.averages[0].astype(dtype)
    with ema.applied():
        assert_same_bits(p, shown)
    assert (p == 4).all()


STRUCTURES: dict[str, Any] = {
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (a, b),
    "dict": lambda a, b: {"a": a, "b": b},
    "pairs": lambda a, b: [("a", a), ("b", b)],
    "iterator": lambda a, b: iter([a, b]),
    "groups": lambda a, b: fs.Adam([{"params": [a]}, {"params": [b], "lr": 1.0}]).param_groups,
    "named groups": lambda a, b: fs.SGD([{"params": {"a": a}}, {"params": {"b": b}}]).param_groups,
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_and_layouts(name: str) -> None:
    base = np.arange(24.0, dtype=np.float32)
    a, b = base.reshape(4, 6)[::2, ::-1].T, np.array([1.0, 2.0], ">f8")
    mean = Mean(STRUCTURES[name](a, b))
    assert list(mean.averages) == (
        ["a", "b"] if name in ("dict", "pairs", "named groups") else [0, 1]
    )
    was = [a.copy(), b.copy()]
    mean.update()
    for p in (a, b):
        p += 2
    mean.update()
    with mean.applied():
        assert [(a == was[0] + 1).all(), (b == was[1] + 1).all()] == [True, True]
        with pytest.raises(ValueError, match="applied already"), mean.applied():
            pass
    assert [(a == was[0] + 2).all(), (b == was[1] + 2).all()] == [True, True]


def test_a_decay_may_change_between_updates() -> None:
    p = np.zeros(1)
    ema = EMA(p, 0.5)
    ema.update()
    p += 4
    ema.decay = 0.75
    ema.update()
    assert ema.averages[0] == 1
    assert repr(ema) == "EMA(decay=0.75, warmup=False, parameters=1, updates=2)"
