"""Annotations in the body of a class: the same in every form that Python has for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

#: How ClassVar and InitVar may be written, with what makes their names known.
FORMS = {
    "from": ("from typing import ClassVar; from dataclasses import InitVar", "ClassVar", "InitVar"),
    "module": ("import typing, dataclasses", "typing.ClassVar", "dataclasses.InitVar"),
    "short": ("import typing as t, dataclasses as d", "t.ClassVar", "d.InitVar"),
    "alias": (
        "from typing import ClassVar as Of; from dataclasses import InitVar as To",
        "Of",
        "To",
    ),
    "for checkers": (
        "import typing as t\nif t.TYPE_CHECKING:\n    from x import ClassVar, InitVar",
        "ClassVar",
        "InitVar",
    ),
}
#: The same as text in each of these ways.
WRITTEN = {
    "object": ("", "{}"),
    "future": ("from __future__ import annotations", "{}"),
    "quoted": ("", '"{}"'),
    "both": ("from __future__ import annotations", '"{}"'),
}
BODY = """
class Base(fs.SGD):
    RULE = "SGD"
    level: {level} = 3
    bare: {bare} = 4
    given: {given} = 5
    lr: float = 0.25
"""
FUTURE = "from __future__ import annotations"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    def run(text: str) -> dict[str, Any]:
        """Run it as a module, whose names it returns."""
        module = ModuleType("of_the_users")
        module.__dict__["fs"] = fs
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(text, module.__name__, "exec", dont_inherit=True), vars(module))
        return vars(module)

    return run


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("form", FORMS)
def test_class_variables_are_no_options(form: str, written: str, run: Any) -> None:
    (imports, class_var, init_var), (future, pattern) = FORMS[form], WRITTEN[written]
    if (form, written) == ("for checkers", "object") and sys.version_info < (3, 14):
        pytest.skip("such a name is not there")
    level, given = (pattern.format(f"{name}[int]") for name in (class_var, init_var))
    body = BODY.format(level=level, bare=pattern.format(class_var), given=given)
    base = run("\n".join([future, imports, body]))["Base"]
    assert (base.level, base.bare, hasattr(base, "given")) == (3, 4, False)
    opt = base([np.ones(2)])
    assert opt.lr == 0.25
    assert not {"level", "bare", "given"} & opt.param_groups[0].keys()


def test_a_name_that_is_not_there_hides_no_other(run: Any) -> None:
    """On Python 3.14 this needs no text: what cannot be evaluated is text by then."""
    future = "" if sys.version_info >= (3, 14) else FUTURE
    text = f"""
{future}
class Mine(fs.SGD):
    lr: float = 0.25
    other: Missing
    tag: Missing[int] = 7

class Bad(fs.SGD):
    lr: Missing = 0.25
"""
    found = run(text)
    opt = found["Mine"]([np.ones(2)])
    assert (opt.lr, opt.tag, "tag" in opt.param_groups[0]) == (0.25, 7, False)
    with pytest.raises(TypeError, match=r"'Missing' of Bad\.lr cannot be read"):
        found["Bad"]([np.ones(2)])
