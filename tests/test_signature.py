"""What a class says of its options in its body is what everybody sees of them."""

from __future__ import annotations

import ast
import inspect
import pickle
import pydoc
import re
import sys
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

import ferrostep as fs
from cases import PUBLIC, own_options
from ferrostep.options import number
from support.programs import output

COMMON = {
    "missing": "raise",
    "weight_decay": 0.0,
    "decoupled_weight_decay": False,
    "maximize": False,
    "flush_subnormals": False,
    "state_dtype": None,
    "nonfinite": "propagate",
    "backend": None,
    "state_factory": None,
}
every_class = pytest.mark.parametrize(
    "cls", sorted(PUBLIC, key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__
)


def parameters(cls: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(cls).parameters)


def documented(cls: Any) -> dict[str, Any]:
    """The defaults that the docstring tells: "default 1e-3" under the option's name."""
    text = (inspect.getdoc(cls) or "").partition("Parameters\n")[2].partition("\nState\n")[0]
    found = {}
    for name, body in re.findall(r"^(\w+)\n((?:    .*\n)+)", text, re.M):
        value = re.search(r'[Dd]efault ((?:\([^)]*\))|[\w.+-]+|"\w+")', body)
        chosen = re.search(r'("\w+") \([^)]*default\)', body)
        if chosen or value:
            told = (chosen or value)[1].rstrip(".")  # type: ignore[index]
            found[name] = float(told) if told == "inf" else ast.literal_eval(told)
    return found


@every_class
def test_the_signature_has_every_option_with_its_default(cls: Any) -> None:
    found = parameters(cls)
    assert list(found)[:2] == ["params", "lr"]
    assert set(found) == {"params", *own_options(cls), *COMMON}
    positional = [name for name, p in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == ["params", "lr"]
    assert {p.kind for name, p in found.items() if name not in positional} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    made = cls([np.ones((2, 2))])
    for name, parameter in list(found.items())[1:]:
        assert parameter.default == getattr(made, name), name
        assert type(parameter.default) is type(getattr(made, name)), name
        assert parameter.annotation is not parameter.empty, name


@every_class
def test_defaults_are_those_of_the_base_unless_the_docstring_tells_others(cls: Any) -> None:
    found, told = parameters(cls), documented(cls)
    others = {name: told[name] for name in COMMON if name in told}
    assert {name: found[name].default for name in COMMON} == {**COMMON, **others}
    assert all(others[name] != COMMON[name] for name in others)


def test_adamw_has_other_defaults() -> None:
    found = parameters(fs.AdamW)
    assert found["weight_decay"].default == 0.01
    assert found["decoupled_weight_decay"].default is True
    assert parameters(fs.Adam)["decoupled_weight_decay"].default is False


@every_class
def test_the_docstring_tells_the_same_defaults(cls: Any) -> None:
    found, told = parameters(cls), documented(cls)
    own = [] if cls is fs.AdamW else own_options(cls)  # AdamW's docstring points to Adam's
    assert {name: told[name] for name in told if name not in COMMON} == {
        name: found[name].default for name in own
    }


def test_the_options_of_every_class_are_described_once() -> None:
    assert documented(fs.Optimizer).items() <= COMMON.items()
    assert set(parameters(fs.Optimizer)) == {"params", *COMMON}
    text = inspect.getdoc(fs.Optimizer) or ""
    for name in parameters(fs.Optimizer):
        assert f"\n{name}\n    " in text, name


@every_class
def test_help_shows_them(cls: Any) -> None:
    text = pydoc.plain(pydoc.render_doc(cls))
    constructor = text[text.index(f"{cls.__name__}(params") :].partition("\n")[0]
    for name, parameter in parameters(cls).items():
        assert name in constructor
        assert repr(parameter.default) in constructor
    assert "lr: float = " in constructor


def test_adamw_is_adam_with_other_defaults() -> None:
    """Its body has no code and says nothing again that `Adam`'s says."""
    tree = ast.parse(inspect.getsource(sys.modules[fs.AdamW.__module__]))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    assert all(isinstance(node, ast.AnnAssign | ast.Expr) for node in body)
    assert len(body) == 4  # a docstring, the star, two options
    changed = {
        name
        for name, parameter in parameters(fs.AdamW).items()
        if parameter != parameters(fs.Adam)[name]
    }
    assert changed == {"weight_decay", "decoupled_weight_decay"}


def test_an_import_reads_no_annotation() -> None:
    program = """
import builtins
texts, real = [], eval
builtins.eval = lambda *given: (texts.append(given[0]), real(*given))[1]
import ferrostep as fs
texts = [text for text in texts if "_tuple_new" not in text]  # NumPy's and our named tuples
print(texts)
fs.Adam()
first = len(texts)
fs.Adam()
print("Rate" in texts, len(texts) == first > 10)
print(any("_own_schema" in vars(cls) for cls in (fs.SGD, fs.Rprop)))
"""
    assert output(program) == ["[]", "True True", "False"]


# Classes of the user's.


class Slow(fs.Momentum):
    lr: float = 0.5
    maximize: bool = True
    nonfinite: str = "skip"  # type: ignore[assignment]
    tag: str = "of the user's own"
    level: ClassVar[int] = 3


class Checked(fs.SGD):
    lr: Annotated[float, number(0, 0.5)] = 0.25


class Built(fs.Adam):
    def __init__(self, params: Any, lr: float = 0.5, **common: Any) -> None:
        super().__init__(params, lr=lr, **common)


def test_a_subclass_says_other_defaults_in_its_body() -> None:
    opt = Slow([np.ones(2)])
    assert (opt.lr, opt.maximize, opt.nonfinite) == (0.5, True, "skip")
    assert (opt.tag, opt.level) == ("of the user's own", 3)
    assert (opt.defaults["lr"], opt.defaults["momentum"]) == (0.5, 0.9)
    assert "tag" not in parameters(Slow)
    assert parameters(Slow)["lr"].default == 0.5
    assert list(parameters(Slow)) == list(parameters(fs.Momentum))
    assert fs.Momentum([np.ones(2)]).lr == 0.01
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        Slow([np.ones(2)], lr=-1)
    assert pickle.loads(pickle.dumps(opt)).lr == 0.5


def test_a_subclass_says_another_check_in_its_body() -> None:
    assert Checked([np.ones(2)]).lr == 0.25
    with pytest.raises(ValueError, match=r"number in \[0, 0\.5\)"):
        Checked([np.ones(2)], lr=0.5)
    assert parameters(Checked)["lr"].annotation is float


def test_a_subclass_with_a_constructor_has_its_signature() -> None:
    assert list(parameters(Built)) == ["params", "lr", "common"]
    assert Built([np.ones(2)], weight_decay=0.5).defaults["weight_decay"] == 0.5
    assert Built([np.ones(2)]).lr == 0.5
    assert parameters(type("Below", (Built,), {}))["lr"].default == 0.5


def test_an_option_without_a_check_is_refused() -> None:
    class Rule(fs.Optimizer):
        RULE = "SGD"
        lr: float = 0.1

    with pytest.raises(TypeError, match=r"Rule\.lr must be .*, found <class 'float'>; what"):
        Rule([np.ones(2)])


def test_the_base_class_is_none_to_use() -> None:
    with pytest.raises(TypeError, match="use one of its subclasses"):
        fs.Optimizer([np.ones(2)])


def test_arguments_that_are_no_options() -> None:
    with pytest.raises(
        TypeError, match=r"SGD\.__init__.. takes from 1 to 3 positional arguments but 4"
    ):
        fs.SGD([np.ones(2)], 0.1, 0.9)  # type: ignore[misc]
    with pytest.raises(TypeError, match="multiple values for argument 'lr'"):
        fs.SGD([np.ones(2)], 0.1, lr=0.9)  # type: ignore[misc]
    with pytest.raises(TypeError, match="did you mean 'nonfinite'"):
        fs.SGD([np.ones(2)], nonfinte="skip")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="hide the option"):
        type("Mine", (fs.SGD,), {"nonfinite": "skip"})
