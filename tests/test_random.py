"""Whatever hypothesis thinks of: the native core gives the reference's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases import LOW_PRECISION, RUNS
from support.arrays import TIERS, assert_same_bits, assert_same_state, running_on
from support.layouts import laid_out

GRADIENT_DTYPES = [*LOW_PRECISION, "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


@st.composite
def gradient(draw: Any, shape: tuple[int, ...]) -> Any:
    """A gradient of any dtype and layout, or none."""
    if draw(st.integers(0, 5)) == 0:
        return None
    finite = st.floats(-100, 100, width=16)
    kind = np.dtype(draw(st.sampled_from(GRADIENT_DTYPES)))
    values = draw(hnp.arrays(np.float32, shape, elements=finite, fill=finite))
    return draw(laid_out(values.astype(kind)))


def native_equals_reference(data: Any) -> None:
    case, dtype = data.draw(st.sampled_from(RUNS))
    shape = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
    shapes = data.draw(st.lists(shape, min_size=1, max_size=4))
    finite = st.floats(-100, 100, width=16)
    values = [data.draw(hnp.arrays(np.float32, n, elements=finite, fill=finite)) for n in shapes]
    start = [p.astype(dtype) for p in values]
    scaling = data.draw(st.sampled_from([{}, {"grad_scale": -0.3}, {"max_norm": 2.0}]))
    mine = [data.draw(laid_out(p)) for p in start]
    theirs = [p.copy() for p in start]
    opt = case.make(mine)
    reference = case.make(theirs, backend="reference")
    with running_on(data.draw(st.sampled_from(TIERS)), data.draw(st.integers(1, 4))):
        for _ in range(data.draw(st.integers(1, 3))):
            grads = [data.draw(gradient(shape)) for shape in shapes]
            found, wanted = opt.step(grads, **scaling), reference.step(grads, **scaling)
            assert found.grad_norm == wanted.grad_norm
    for p, q in zip(mine, theirs, strict=True):
        assert_same_bits(p, q)
    assert_same_state(opt, reference)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_native_equals_reference(data: Any) -> None:
    native_equals_reference(data)


@pytest.mark.long
@settings(max_examples=5000, deadline=None)
@given(data=st.data())
def test_native_equals_reference_at_length(data: Any) -> None:
    native_equals_reference(data)
