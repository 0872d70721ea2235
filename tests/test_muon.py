"""Muon's numbers: the reference against formulas in exact numbers, and against torch."""

from __future__ import annotations

import json
from decimal import Context, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import DTYPES
from ferrostep.backends.reference import update
from ferrostep.backends.reference.matrices import orthogonal, product
from support.arrays import Array
from support.exact import exact

#: Machine epsilons.
STEP_BOUND = 24


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_is_its_exact_value_but_for_one_rounding_of_each_operation(dtype: type) -> None:
    rng = np.random.default_rng(4)
    a: Array = rng.standard_normal((5, 40)).astype(dtype)
    b: Array = rng.standard_normal((40, 6)).astype(dtype)
    found = product(a, b)
    unit = Fraction(float(np.finfo(dtype).eps)) / 2
    for i, j in np.ndindex(found.shape):
        terms = [
            Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[:, j], strict=True)
        ]
        # A term is rounded itself, and in up to 40 sums after it.
        bound = sum(map(abs, terms)) * ((1 + unit) ** 41 - 1)
        assert abs(Fraction(float(found[i, j])) - sum(terms)) <= bound


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_singular_values_go_near_to_one(shape: tuple[int, int]) -> None:
    """Jordan's coefficients do not converge: values that are not small end between 0.6 and 1.3."""
    u = np.random.default_rng(5).standard_normal(shape)
    left, _, right = np.linalg.svd(u, full_matrices=False)
    found = orthogonal(left @ np.diag(np.linspace(3.0, 0.5, min(shape))) @ right, 1e-7)
    values = np.diag(left.T @ found @ right.T)
    np.testing.assert_allclose(left @ np.diag(values) @ right, found, atol=1e-12)
    assert ((values > 0.6) & (values < 1.3)).all()


def one_step_exactly(p: Array, g: Array, buf: Array, o: Any) -> tuple[Any, Any]:
    """The step with 60 digits: the new parameter, and the new average."""
    decimals = np.vectorize(exact, otypes=[object])
    p, g, buf = decimals(p), decimals(g), decimals(buf)
    lr, mu, wd, eps = (exact(o[name]) for name in ("lr", "momentum", "weight_decay", "eps"))
    a, b, c = (exact(x) for x in (3.4445, -4.7750, 2.0315))
    rows, columns = p.shape
    ratio = (exact(rows) / exact(columns)).max(exact(1)).sqrt()
    buf = mu * buf + (1 - mu) * g
    u = (1 - mu) * g + mu * buf
    x = u / (u**2).sum().sqrt().max(eps)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return p * (1 - lr * wd) - lr * ratio * x, buf


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_step_is_near_its_formula(dtype: type) -> None:
    """The bound is the largest distance that was found, doubled: in machine epsilons, since a step
    has singular values near to 1. What was rounded at first has grown: the polynomial's slope at 0
    is 3.4, and it is taken five times.
    """
    worst = 0.0
    options = fs.Muon(None, lr=1.0, weight_decay=0.0).defaults
    for seed, shape in enumerate([(1, 1), (2, 5), (5, 2), (4, 4), (3, 9), (6, 7)]):
        rng = np.random.default_rng(seed)
        arrays: list[Array] = [rng.standard_normal(shape).astype(dtype) for _ in range(3)]
        p, g, buf = 1e-3 * arrays[0], arrays[1], arrays[2]  # so that the step is what is measured
        found, new = update("Muon", p, g, {"momentum_buffer": buf}, options, 2, set())
        with localcontext(Context(prec=60)):
            wanted, average = one_step_exactly(p, g, buf, options)
        far = np.abs(np.vectorize(exact, otypes=[object])(found) - wanted).max()
        worst = max(worst, float(far) / float(np.finfo(dtype).eps))
        np.testing.assert_allclose(
            new["momentum_buffer"].astype("f8"), average.astype("f8"), rtol=0,
            atol=2 * float(np.finfo(dtype).eps),
        )  # fmt: skip
    assert worst <= STEP_BOUND


VECTORS = json.loads((Path(__file__).parent / "vectors" / "matrices.json").read_text())


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["options"]))
def test_torch(case: dict[str, Any], backend: Any) -> None:
    """Within 1e-12 of the largest element, after each of twelve steps."""
    options = dict(case["options"])
    adjust = options.pop("adjust_lr_fn", "original")
    params = [np.array(p) for p in case["initial"]]
    opt = fs.Muon(params, adjust_lr=adjust, backend=backend, **options)
    steps = zip(
        case["gradients"], case["learning_rates"], case["parameters_after_each_step"], strict=True
    )
    for grads, lr, wanted in steps:
        opt.param_groups[0]["lr"] = lr
        opt.step([np.array(g) for g in grads])
        for p, q in zip(params, wanted, strict=True):
            np.testing.assert_allclose(p, q, rtol=0, atol=1e-12 * np.abs(q).max())
    for i, state in enumerate(case["final_state"]):
        wanted = np.array(state["momentum_buffer"])
        found = opt.state[i]["momentum_buffer"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
