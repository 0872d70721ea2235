"""What bad `Rows` get: an error that says found and wanted, and nothing has been written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits

BAD: list[tuple[str, Callable[[], fs.Rows], type[Exception], str]] = [
    ("float", lambda: fs.Rows([1.0], np.ones((1, 3))), TypeError, "integers, found dtype float64"),
    ("empty floats", lambda: fs.Rows(np.zeros(0), np.ones((0, 3))), TypeError, "found dtype float"),
    ("mask", lambda: fs.Rows([True] * 4, np.ones((4, 3))), TypeError, r"bool; pass np.flatnonzero"),
    ("object", lambda: fs.Rows([None], np.ones((1, 3))), TypeError, "found dtype object"),
    ("0-d", lambda: fs.Rows(1, np.ones((1, 3))), ValueError, r"one-dimensional, found shape \(\)"),
    ("2-d", lambda: fs.Rows([[1]], np.ones((1, 3))), ValueError, r"found shape \(1, 1\); pass i"),
    ("negative", lambda: fs.Rows([0, -1], np.ones((2, 3))), ValueError, "0 or more, found -1"),
    (
        "list",
        lambda: fs.Rows([0], [[1.0] * 3]),
        TypeError,
        "must be a NumPy or CuPy array, found list",
    ),
    ("None", lambda: fs.Rows([0], None), TypeError, "must be a NumPy or CuPy array, found None"),
    ("masked", lambda: fs.Rows([0], np.ma.ones((1, 3))), TypeError, "found MaskedArray; fill"),
    (
        "fewer",
        lambda: fs.Rows([0, 1], np.ones((1, 3))),
        ValueError,
        "must be 2, as many as there are indices, found 1",
    ),
    ("0-d values", lambda: fs.Rows([0], np.ones(())), ValueError, "must be 1, as many .* found 0"),
    (
        "too far",
        lambda: fs.Rows([0, 4, 1], np.ones((3, 3))),
        ValueError,
        "parameter 0 has indices that must be below 4, .* found 4",
    ),
    (
        "far too far",
        lambda: fs.Rows(np.uint64([2**64 - 1]), np.ones((1, 3))),
        ValueError,
        "found 9",
    ),
    ("columns", lambda: fs.Rows([0], np.ones((1, 4))), ValueError, r"\(1, 4\), wanted \(1, 3\)"),
    ("a row's axis", lambda: fs.Rows([0], np.ones((1, 1, 3))), ValueError, r"wanted \(1, 3\)"),
    (
        "values",
        lambda: fs.Rows([0], np.ones((1, 3), int)),
        TypeError,
        "dtype int64, wanted float16",
    ),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("bad", "error", "message"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_rows(bad: Any, error: type[Exception], message: str, backend: str) -> None:
    p = np.ones((4, 3), np.float32)
    opt = fs.Adam([p], backend=backend)
    for _ in range(2):
        now, state = p.copy(), opt.state_dict()
        with pytest.raises(error, match=message):
            opt.step([bad()])
        assert_same_bits(p, now)
        assert str(opt.state_dict()) == str(state)
        opt.step([p * 1])


def test_what_takes_no_rows() -> None:
    rows = fs.Rows([0], np.ones((1, 3)))
    with pytest.raises(
        ValueError, match=r"must be an array, as the parameter is 0-d .* found Rows"
    ):
        fs.SGD([np.ones(())]).step([fs.Rows([0], np.ones(1))])
    for function in (fs.clip.global_norm, fs.clip.leaf_sums):
        with pytest.raises(TypeError, match="0 must be a NumPy array, found Rows; give max_norm"):
            function([rows])
    for clip in (fs.clip.clip_by_global_norm, fs.clip.clip_by_value):
        with pytest.raises(TypeError, match=r"0 must be a NumPy array .*, found Rows"):
            clip([rows], 1.0)
    with pytest.raises(TypeError, match=r"(?i)rows"):
        fs.SGD([rows])
    opt = fs.SGD(lr=0.1)
    with pytest.raises(TypeError, match=r"(?i)rows"):
        opt.update([rows], [np.ones((1, 3))])
    opt.update([np.ones((1, 3))], [rows])
    with pytest.raises(TypeError, match=r"parameter 0 must be a NumPy array .* found Rows"):
        opt.update([rows], [rows])
    with pytest.raises(TypeError):
        type("Mine", (fs.Rows,), {})
