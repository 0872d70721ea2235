"""Other libraries' optimizers: their signatures and numbers, recorded by golden/make_presets.py.

And what is made of the rows: functions, their types, README's table.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import PUBLIC
from ferrostep.presets.functions import Ours
from ferrostep.presets.row import Row, names_of
from ferrostep.schema import REQUIRED
from support import presets
from support.arrays import Array

VECTORS = Path(__file__).parent / "vectors" / "presets.json"
RECORDED: dict[str, Any] = json.loads(VECTORS.read_text())
CASES = [(library, case) for library in presets.LIBRARIES for case in RECORDED[library]["cases"]]
IDS = [f"{library}.{case['name']}-{i}" for i, (library, case) in enumerate(CASES)]
each_row = pytest.mark.parametrize("row", presets.ROWS, ids=lambda row: row.title)

#: The largest distance that was found after the six steps, rounded up, in machine epsilons of the
#: largest value. Keras takes beta**t and 1 - beta**t in float32 where that is its floatx.
BOUND = 3
BOUNDS = {("keras", "float32"): 20, ("sklearn", "float64"): 0}
#: RAdam's r is made of a difference: of 1,999 and 1,993 in step 6, whose rounding is all there is.
RECTIFIED = 50
#: Keras' means are in float32 whatever its floatx, and its Adafactor is made of them.
MEANS = 2**29


def function(row: Row) -> Callable[..., fs.Optimizer]:
    found: Any = getattr(import_module(f"ferrostep.presets.{row.library.module}"), row.name)
    return found  # type: ignore[no-any-return]


def cases_of(row: Row) -> list[dict[str, Any]]:
    return [c for library, c in CASES if (library, c["name"]) == (row.library.module, row.name)]


def plain(value: Any) -> Any:
    """A value as it was before it became JSON."""
    return tuple(value) if isinstance(value, list) else value


def gradient(opt: fs.Optimizer, g: Array) -> Any:
    """Rows that are not 0, where there are `Rows` alone; of a number, which has none, None."""
    if not opt.ROWS_ONLY or g.ndim == 0:
        return None if opt.ROWS_ONLY else g
    rows = np.flatnonzero(g.reshape(len(g), -1).any(axis=1))
    return fs.Rows(rows, g[rows])


def arrays(recorded: list[Any], dtype: str, cls: type[fs.Optimizer]) -> list[Array]:
    found: list[Array] = [np.array(x, dtype) for x in recorded]
    return [x for x in found if x.ndim == 2] if cls.MATRICES else found


def distance(opt: fs.Optimizer, case: dict[str, Any], dtype: str) -> float:
    """Make a case's steps; return how far they end from it, in epsilons of the largest value."""
    params = arrays(RECORDED["start"], dtype, type(opt))
    for grads in RECORDED["gradients"]:
        steps = arrays(grads, dtype, type(opt))
        opt.update(params, [gradient(opt, g) for g in steps])
    found: Array = np.concatenate([p.ravel() for p in params]).astype(float)
    wanted = np.array(case[dtype])
    unit = np.finfo(dtype).eps * max(1.0, np.abs(wanted).max())
    return float(np.abs(found - wanted).max() / unit)


# Against the libraries.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("library", "case"), CASES, ids=IDS)
def test_numbers(library: str, case: dict[str, Any], dtype: str) -> None:
    options = {name: plain(value) for name, value in case["options"].items()}
    opt = function(presets.LIBRARIES[library][case["name"]])(**options)
    bound = BOUNDS.get((library, dtype), BOUND)
    if (library, case["name"], dtype) == ("keras", "Adafactor", "float64"):
        bound = MEANS
    assert distance(opt, case, dtype) <= (RECTIFIED if case["name"] == "radam" else bound)


@each_row
def test_cases_see_every_argument_and_every_convention(row: Row) -> None:
    """With an option of a convention turned round, some case has other numbers."""
    cases = cases_of(row)
    tried = {
        name
        for case in cases
        for name, value in case["options"].items()
        if plain(value) != row.arguments[name]
    }
    read = {
        name for ours, s in row.sources.items() if ours != "state_dtype" for name in names_of(s)
    }
    missing = read - tried - {"maximize"}
    assert not missing
    for name, value in row.fixed.items():
        if isinstance(value, bool):
            given = [{n: plain(x) for n, x in case["options"].items()} for case in cases]
            turned = [row.cls(**{**row.options(options), name: not value}) for options in given]
            pairs = zip(turned, cases, strict=True)
            assert max(distance(opt, case, "float64") for opt, case in pairs) > 1e6, name


#: What is taken by what stands around the steps.
AROUND = {
    *("params", "objective", "p0", "it", "max_iter", "n_iter_check", "n_iter_without_progress"),
    *("min_grad_norm", "verbose", "args", "kwargs"),
}


@each_row
def test_signature(row: Row) -> None:
    recorded = RECORDED[row.library.module]["signatures"][row.name]
    theirs = {n: plain(default) for n, default in recorded.items() if n not in AROUND}
    if row.title == "presets.optax.adadelta":
        assert theirs["learning_rate"] is None  # with which it fails at the first step
        theirs["learning_rate"] = ("required",)
    signature = inspect.signature(function(row))
    found = {name: one.default for name, one in signature.parameters.items()}
    for name, default in theirs.items():
        assert found[name] == (REQUIRED if default == ("required",) else default), name
    assert found.keys() - theirs.keys() <= {"params", *row.library.common, *Ours.__annotations__}
    if not row.library.by_name:
        assert [name for name in theirs if name in row.defaults] == list(row.defaults)
    assert signature.return_annotation is row.cls


def test_every_row_was_compared_and_every_class_has_one() -> None:
    for library, rows in presets.LIBRARIES.items():
        assert rows.keys() == RECORDED[library]["signatures"].keys()
        assert rows.keys() == {case["name"] for case in RECORDED[library]["cases"]}
    assert {row.cls for row in presets.ROWS} == set(PUBLIC)


# What is made of the rows.


def test_types_and_readme_are_those_of_the_rows() -> None:
    again = "cd tests && ../.venv/bin/python -m support.presets"
    readme = presets.README.read_text()
    assert presets.between(readme, presets.IN_README) == presets.table(), again
    for library, rows in presets.LIBRARIES.items():
        text = presets.module_of(library).read_text()
        found, made = presets.between(text, presets.IN_CODE), presets.types(rows)
        assert ast.dump(ast.parse(f"if 1:\n{found}")) == ast.dump(ast.parse(f"if 1:\n{made}")), (
            again
        )


@each_row
def test_docstring(row: Row) -> None:
    preset = function(row)
    text = inspect.getdoc(preset) or ""
    for name in inspect.signature(preset).parameters:
        assert re.search(rf"\b{name}\b", text.partition("Parameters\n")[2]), name
    test = doctest.DocTestParser().get_doctest(text, {}, row.title, None, None)
    assert len(test.examples) == 4
    assert doctest.DocTestRunner().run(test).failed == 0


def test_parameters_come_first_by_name_or_later() -> None:
    p, q = np.ones(3), np.ones(3)
    fs.presets.torch.SGD([p], 0.1, 0.9, nonfinite="skip").step([p * 1])
    fs.presets.optax.sgd(0.1, 0.9, params={"p": q}).step({"p": q * 1})
    assert (p == q).all()
    opt = fs.presets.keras.Adam(np.float32(0.5), name="mine", state_dtype="float16")
    assert opt.lr == 0.5
    opt.update([np.ones(3, np.float32)], [np.ones(3)])
    assert opt.state[0]["exp_avg"].dtype == np.float16


def test_what_means_nothing_for_the_numbers_is_accepted() -> None:
    opt = fs.presets.torch.AdamW(foreach=True, fused=False, capturable=False, differentiable=False)
    assert opt.defaults == fs.AdamW().defaults
    assert fs.presets.keras.Lion(weight_decay=None, ema_momentum=0.5, use_ema=False).lr == 1e-3
    assert fs.presets.sklearn.SGDOptimizer(power_t=0.25, lr_schedule="constant").nesterov
    assert fs.presets.optax.lion(0.1, mu_dtype="float16").state_dtype == "float16"
