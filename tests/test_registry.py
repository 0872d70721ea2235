"""An optimizer that lacks one of its places is found here."""

from __future__ import annotations

import inspect
from pathlib import Path

import ferrostep as fs
from cases import CASES, CLASSES, ELEMENTWISE, HIDDEN, MATRIX_CASES, PUBLIC, own_options
from ferrostep import _native, optimizers
from ferrostep.backends.reference import RULES
from formulas import FORMULAS
from support import classes
from support.presets import README, between


def test_every_class_file_is_imported() -> None:
    folder = Path(inspect.getfile(optimizers)).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {cls.__module__.rpartition(".")[2] for cls in PUBLIC}


def test_every_class_has_its_rule_reference_case_and_place() -> None:
    public = [value for value in vars(optimizers).values() if inspect.isclass(value)]
    assert {cls for cls in public if issubclass(cls, fs.Optimizer)} == set(PUBLIC)
    everything = {*CLASSES, *HIDDEN}
    assert {cls.RULE for cls in everything} == set(_native.RULES)
    assert {cls.__name__ for cls in everything} == set(RULES)
    assert {case.optimizer for case in CASES} == {*ELEMENTWISE, *HIDDEN}
    assert {case.optimizer for case in MATRIX_CASES} == {*CLASSES} - {*ELEMENTWISE}
    assert set(FORMULAS) == {*ELEMENTWISE, *HIDDEN}, "a table FORMULAS in tests/formulas/"
    for cls in PUBLIC:
        assert getattr(fs, cls.__name__) is cls
        assert cls.__name__ in fs.__all__


def test_every_class_documents_its_options_formula_and_source() -> None:
    for cls in PUBLIC:
        text = inspect.getdoc(cls) or ""
        for heading in ("Parameters\n", "Examples\n", "References\n", "State"):
            assert heading in text, f"{cls.__name__} has no {heading.strip()} in its docstring"
        for option in own_options(cls):
            assert option in text, f"{cls.__name__} does not document {option}"
        assert "see `Optimizer`" in text


def test_one_name_is_one_case() -> None:
    assert len({case.name for case in [*CASES, *MATRIX_CASES]}) == len(CASES) + len(MATRIX_CASES)


def test_readme_has_every_class_with_its_state_and_source() -> None:
    text = between(README.read_text(), classes.MARKS)
    assert text == classes.table(text), "cd tests && ../.venv/bin/python -m support.classes"
