"""What `replace` refuses, as if it had never been asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import arrays_in, numbers_in


def w() -> Any:
    return np.zeros((2, 3))


def frozen(opt: fs.Optimizer) -> list[Any]:
    groups = [{k: v for k, v in group.items() if k != "params"} for group in opt.param_groups]
    arrays = [list(map(id, group["params"])) for group in opt.param_groups]
    entries = [*opt.state.values()]
    held = [(numbers_in(e), {k: id(a) for k, a in arrays_in(e).items()}) for e in entries]
    values = [a.tobytes() for e in entries for a in arrays_in(e).values()]
    return [groups, arrays, held, values]


def read_only() -> Any:
    array = np.zeros((2, 3))
    array.setflags(write=False)
    return array


BAD: list[tuple[Any, Any, Any, type[Exception], str]] = [
    ("v", w(), None, ValueError, r"name must be one of \['w', 'b', 'one'\], found 'v'"),
    (0, w(), None, ValueError, "name must be one of .*, found 0"),
    (None, w(), None, ValueError, "name must be one of .*, found None"),
    (
        "w",
        np.zeros(2),
        None,
        ValueError,
        r"'w' has shape \(2,\) .*, wanted shape \(2, 3\) .* as be",
    ),
    ("w", np.zeros((2, 4)), None, ValueError, r"has shape \(2, 4\) .*, wanted shape \(2, 3\)"),
    (
        "w",
        np.zeros((5, 4)),
        None,
        ValueError,
        r"\(5, 4\) .*, wanted shape \(5, 3\).*; only the num",
    ),
    ("w", np.zeros(()), None, ValueError, r"has shape \(\) and dtype float64, wanted shape \(2, 3"),
    ("w", np.zeros((4, 3), "f4"), None, ValueError, "dtype float32, wanted .* float64 as before"),
    ("w", np.zeros((4, 3), int), None, TypeError, "parameter 'w' has dtype int64"),
    ("w", [[1.0] * 3], None, TypeError, "parameter 'w' must be .*, found list"),
    ("w", None, None, TypeError, "parameter 'w' must be .*, found NoneType"),
    ("w", 1.0, None, TypeError, "parameter 'w' must be .*, found float; keep it as an array"),
    ("w", np.ma.zeros((2, 3)), None, TypeError, "found MaskedArray"),
    ("w", read_only(), None, ValueError, "parameter 'w' is read-only"),
    (
        "one",
        np.zeros(3),
        None,
        ValueError,
        r"'one' must have rows to be replaced, found shape \(\);",
    ),
    ("w", w(), [0], ValueError, "index has 1 rows, wanted 2: one for each row of the new array"),
    ("w", w(), [], ValueError, "index has 0 rows, wanted 2"),
    ("w", w(), [0, 2], ValueError, r"index\[1\] must be one of the 2 rows of parameter 'w', or -1"),
    ("w", w(), [-2, 0], ValueError, r"index\[0\] must be .*, or -1 for a new row, found -2"),
    (
        "w",
        w(),
        [[0], [1]],
        ValueError,
        r"index must be integers along one axis, found shape \(2, 1",
    ),
    ("w", w(), 0, ValueError, r"index must be integers along one axis, found shape \(\)"),
    ("w", w(), [True, False], TypeError, r"found bool; np.flatnonzero\(mask\)"),
    ("w", w(), [0.0, 1.0], TypeError, "index must be integers that int64 can hold, found float64"),
    ("w", w(), np.array([0, 1], np.uint64), TypeError, "found uint64; index.astype"),
    ("w", w(), ["0", "1"], TypeError, "index must be integers that int64 can hold, found <U1"),
    ("w", w(), [None, 1], TypeError, "found object"),
]


@pytest.mark.parametrize(("name", "new", "index", "error", "message"), BAD)
def test_bad_input(name: Any, new: Any, index: Any, error: type[Exception], message: str) -> None:
    params = {"w": w(), "b": np.zeros((2, 3)), "one": np.zeros(())}
    opt = fs.Adam(params)
    grads = {name: np.ones_like(p) for name, p in params.items()}
    opt.step(grads)
    before, held = frozen(opt), dict(params)
    with pytest.raises(error, match=message):
        opt.replace(name, new, index)
    assert frozen(opt) == before
    assert all(params[name] is held[name] for name in held)
    opt.step(grads)


def test_memory_of_another() -> None:
    params = {"w": w(), "b": np.zeros((4, 3))}
    opt = fs.Adam(params)
    opt.step({"w": np.ones((2, 3)), "b": np.ones((4, 3))})
    for other, message in [
        (params["b"], "parameter 'b' and parameter 'w' are the same array"),
        (params["b"][1:], "parameter 'b' and parameter 'w' overlap in memory"),
        (opt.state["b"]["exp_avg"][:2], "state \"exp_avg\" of parameter 'b' and parameter 'w' ov"),
        (np.lib.stride_tricks.as_strided(np.zeros(3), (2, 3), (0, 8)), "overlaps itself"),
    ]:
        before = frozen(opt)
        with pytest.raises(ValueError, match=message):
            opt.replace("w", other)
        assert frozen(opt) == before
    # Its own memory, or that of the state that is left behind, is free.
    kept = params["w"][:1]
    opt.replace("w", kept)
    assert params["w"] is kept
    opt.replace("w", opt.state["w"]["exp_avg"])
    opt.step({"w": np.ones((1, 3)), "b": np.ones((4, 3))})


def test_a_position_where_there_are_no_names() -> None:
    opt = fs.SGD([w()])
    for name in ("0", 1, -1, True, 0.0):
        with pytest.raises(ValueError, match="name must be a parameter's position from 0 to 0, as"):
            opt.replace(name, w())  # type: ignore[arg-type]
    opt.replace(np.int64(0), np.zeros((3, 3)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no parameters yet; give them to update"):
        fs.SGD().replace(0, w())


def test_groups_that_were_edited_are_refused() -> None:
    opt = fs.SGD([w()])
    opt.param_groups.append({})
    with pytest.raises(ValueError, match="param_groups itself was changed"):
        opt.replace(0, np.zeros((3, 3)))
