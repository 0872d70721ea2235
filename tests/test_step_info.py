"""What a step returns: its answers, its copies, and what it is not."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

G = np.array([3.0, 4.0])
BAD = np.array([3.0, np.inf])


def info(g: Any = G, name: str | None = None, **arguments: Any) -> fs.StepInfo:
    opt = fs.SGD({name: np.zeros(2)} if name else [np.zeros(2)], lr=0.1, nonfinite="skip")
    return opt.step({name: g} if name else [g], **arguments)


INFOS: dict[str, tuple[Callable[[], fs.StepInfo], tuple[Any, ...], str]] = {
    "plain": (info, (True, None, None), "StepInfo(applied=True, grad_norm=None)"),
    "normed": (
        lambda: info(max_norm=1.0),
        (True, 5.0, None),
        "StepInfo(applied=True, grad_norm=5.0)",
    ),
    "skipped": (
        lambda: info(BAD),
        (False, None, 0),
        "StepInfo(applied=False, grad_norm=None, nonfinite=0)",
    ),
    "skipped by name": (
        lambda: info(BAD, "w", max_norm=1.0),
        (False, np.inf, "w"),
        "StepInfo(applied=False, grad_norm=inf, nonfinite='w')",
    ),
    "overflow": (
        lambda: info(np.array([1e200, 0.0]), max_norm=1.0),
        (False, np.inf, None),
        "StepInfo(applied=False, grad_norm=inf)",
    ),
}


@pytest.mark.parametrize(("made", "values", "text"), INFOS.values(), ids=INFOS)
def test_it_answers_and_travels(
    made: Callable[[], fs.StepInfo], values: tuple[Any, ...], text: str
) -> None:
    found = made()
    copies = [pickle.loads(pickle.dumps(found, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    for each in [found, copy.copy(found), copy.deepcopy(found), *copies]:
        assert type(each) is fs.StepInfo
        assert (each.applied, each.grad_norm, each.nonfinite) == values
        assert list(each.as_dict().items()) == [
            ("applied", values[0]),
            ("grad_norm", values[1]),
            ("nonfinite", values[2]),
            ("update_norm", None),
            ("param_norm", None),
        ]
        assert repr(each) == text
        assert each == found == fs.StepInfo(*values)
        assert hash(each) == hash(found)
        assert each != fs.StepInfo(not values[0], *values[1:])


def test_the_first_that_is_not_finite_is_named_as_in_state() -> None:
    opt = fs.Adam([np.ones(2) for _ in range(3)], nonfinite="skip")
    opt.add_param_group({"params": [np.ones(2)]})
    assert opt.step([G, None, G, BAD]).nonfinite == 3
    assert opt.step([G, BAD, BAD, G]).nonfinite == 1
    assert opt.step([G, G, G, G]).nonfinite is None
    assert 3 in opt.state
    unbound = fs.Adam(nonfinite="skip")
    assert unbound.update({"w": np.ones(2)}, {"w": BAD}).nonfinite == "w"


def test_a_step_is_mapped_over_a_pool() -> None:
    opts = [fs.SGD([np.zeros(2)], lr=0.1) for _ in range(3)]
    with ThreadPool(2) as pool:
        found = pool.starmap(fs.SGD.step, [(opt, [G]) for opt in opts])
    assert found == [fs.StepInfo(True)] * 3


W = np.ones(2)
TAKEN: dict[str, Callable[[Any], Any]] = {
    "asarray": np.asarray,
    "asarray of objects": lambda x: np.asarray(x, dtype=object),
    "in a list": lambda x: np.array([x, x]),
    "copyto": lambda x: np.copyto(W, x),
    "ufunc into": lambda x: np.add(W, x, out=W),
    "== array": lambda x: x == W,
    "NumPy scalar": lambda x: np.float32(2.0) * x,
    "iteration": list,
    "length": len,
    "index": lambda x: x[0],
    "in": lambda x: 3.0 in x,
    "assignment": lambda x: operator.setitem(x, 0, 1.0),
    "float": float,
    "int": int,
    "complex": complex,
    "range": range,
    "in place": lambda x: operator.isub(x, 0.5),
    "as parameters": lambda x: fs.SGD(x, lr=0.1),
    "as parameters of a first update": lambda x: fs.SGD(lr=0.1).update(x, [W]),
    **{f.__name__: f for f in (operator.neg, operator.pos, operator.abs, operator.inv)},
}
BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.matmul, operator.truediv),
    *(operator.floordiv, operator.mod, divmod, operator.pow, operator.lshift, operator.rshift),
    *(operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.gt, operator.ge),
]
MESSAGE = r"updated in place; write `opt.update\(w, g\)`, not `w = "


@pytest.mark.parametrize("use", TAKEN.values(), ids=TAKEN)
def test_taken_for_the_new_parameters_it_says_where_they_are(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=MESSAGE):
        use(info(max_norm=1.0))


@pytest.mark.parametrize("operation", BINARY, ids=lambda f: f.__name__)
def test_arithmetic_says_it_from_either_side(operation: Callable[[Any, Any], Any]) -> None:
    for left, right in [(info(), 2), (2, info()), (info(), W), (W, info()), (info(), info())]:
        with pytest.raises(TypeError, match=MESSAGE):
            operation(left, right)


@pytest.mark.parametrize("params", [{"w": np.ones(2)}, [np.ones(2)], np.ones(2)], ids=type)
def test_assigned_to_the_parameters_it_is_refused_at_the_next_update(params: Any) -> None:
    opt = fs.SGD(lr=0.1)
    grads = {"w": G} if isinstance(params, dict) else [G]
    w = opt.update(params, grads)
    with pytest.raises(TypeError, match=MESSAGE):
        opt.update(w, grads)


def test_its_truth_is_not_guessed() -> None:
    with pytest.raises(TypeError, match=r"write `if info.applied:`"):
        bool(info())
