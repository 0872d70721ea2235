"""Options as properties, and attributes under names that are none."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from ferrostep.option import Option
from ferrostep.options import number
from support.arrays import assert_same_bits, assert_same_state

F32 = np.float32


def two_groups(cls: type[fs.Optimizer] = fs.SGD, **options: Any) -> fs.Optimizer:
    return cls([{"params": [np.ones(3, F32)]}, {"params": [np.ones(2, F32)]}], **options)  # type: ignore[call-arg, arg-type]


def grads() -> list[Any]:
    return [np.full(3, 0.5, F32), np.full(2, -0.25, F32)]


# Properties.


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_option_is_a_property(case: Case) -> None:
    opt = case.make([np.ones(3, F32)])
    for name in type(opt)._schema().checks:
        value = getattr(opt, name)
        assert value == opt.param_groups[0][name] == opt.defaults[name]
        assert type(value) is type(opt.defaults[name])
        setattr(opt, name, value)
        assert getattr(opt, name) == value
    opt.step([np.ones(3, F32)])


def test_setting_sets_every_group_and_the_next_step_obeys() -> None:
    opt = two_groups(lr=0.5)
    opt.lr = 0.25  # type: ignore[attr-defined]
    assert [group["lr"] for group in opt.param_groups] == [0.25, 0.25]
    assert opt.defaults["lr"] == 0.5
    opt.step(grads())
    np.testing.assert_array_equal(opt.param_groups[0]["params"][0], F32(1 - 0.25 * 0.5))
    np.testing.assert_array_equal(opt.param_groups[1]["params"][0], F32(1 + 0.25 * 0.25))


def test_groups_that_differ_have_no_one_value() -> None:
    opt = fs.SGD([{"params": [np.ones(2)]}, {"params": [np.ones(2)], "lr": 0.5}], lr=0.1)
    with pytest.raises(ValueError, match=r"the groups differ in lr: \[0\.1, 0\.5\]"):
        _ = opt.lr
    opt.lr = 0.25
    assert opt.lr == 0.25


@pytest.mark.parametrize(
    ("cls", "options", "name", "value", "message"),
    [
        (fs.SGD, {}, "lr", -1.0, "Invalid learning rate: -1.0"),
        (fs.SGD, {}, "lr", "fast", "Invalid learning rate: 'fast'"),
        (fs.SGD, {}, "nesterov", True, "requires a momentum"),
        (fs.SGD, {"momentum": 0.9, "nesterov": True}, "momentum", 0.0, "requires a momentum"),
        (fs.SGD, {"momentum": 0.9, "average": True}, "momentum", 1.0, r"must be in \(0, 1\)"),
        (fs.SGD, {"momentum": 0.9, "average": True}, "dampening", 0.5, "dampening must be 0"),
        (fs.Adam, {}, "betas", (0.9, 1.0), "at index 1: 1.0"),
        (fs.AdaptiveGains, {}, "min_gain", 200.0, "must not be above max_gain"),
        (
            fs.Adam,
            {},
            "state_dtype",
            "float64",
            "beside parameter 0 of dtype float32 must be float16",
        ),
        (fs.Adam, {}, "nonfinite", "ignore", "must be one of 'propagate', 'raise', 'skip'"),
        (fs.Adam, {}, "backend", [], r"Invalid backend value: \[\]"),
    ],
)
def test_what_is_refused_changes_nothing(
    cls: type[fs.Optimizer], options: dict[str, Any], name: str, value: Any, message: str
) -> None:
    opt = two_groups(cls, **options)
    opt.step(grads())
    before = [dict(group) for group in opt.param_groups]
    with pytest.raises(ValueError, match=message):
        setattr(opt, name, value)
    assert [list(group.items()) for group in opt.param_groups] == [list(g.items()) for g in before]
    opt.step(grads())


def test_a_group_that_does_not_take_it_keeps_the_others_as_they_were() -> None:
    opt = fs.SGD([{"params": [np.ones(2)], "momentum": 0.9}, {"params": [np.ones(2)]}])
    with pytest.raises(ValueError, match="requires a momentum"):
        opt.nesterov = True
    assert [group["nesterov"] for group in opt.param_groups] == [False, False]


def test_an_unbound_optimizer_has_them_before_its_first_update() -> None:
    opt = fs.Adam()
    opt.lr, opt.betas = 0.5, (0.5, 0.75)
    p, twin = np.ones(3), np.ones(3)
    opt.update([p], [np.ones(3)])
    fs.Adam([twin], lr=0.5, betas=(0.5, 0.75)).step([np.ones(3)])
    assert_same_bits(p, twin)


@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle"])
def test_copies_keep_them(how: str) -> None:
    opt = fs.SGD([np.ones(3)], lr=0.1, nonfinite="skip")
    opt.lr, opt.nonfinite, opt.backend = 0.5, "raise", "reference"
    made = {"copy": copy.copy, "deepcopy": copy.deepcopy,
            "pickle": lambda o: pickle.loads(pickle.dumps(o))}[how](opt)  # fmt: skip
    assert (made.lr, made.nonfinite, made.backend) == (0.5, "raise", "reference")
    assert made.defaults["lr"] == 0.1


def test_nonfinite_is_obeyed_from_the_next_step_on() -> None:
    p, bad = np.ones(3, F32), np.array([1, np.nan, 1], F32)
    opt = fs.SGD([p])
    opt.step([np.ones(3, F32)])
    opt.nonfinite = "skip"
    assert not opt.step([bad]).applied
    opt.nonfinite = "raise"
    with pytest.raises(fs.NonFiniteError):
        opt.step([bad])
    opt.nonfinite = "propagate"
    opt.step([bad])
    assert np.isnan(p[1])
    assert (opt.skipped_steps, opt.nonfinite) == (1, "propagate")


def test_backends_take_turns() -> None:
    p, twin = np.ones(3, F32), np.ones(3, F32)
    opt, native = fs.Adam([p]), fs.Adam([twin])
    for backend in (None, None, "reference", "native", "reference", None, None):
        opt.backend = backend
        assert opt.backend == backend
        for optimizer in (opt, native):
            optimizer.step([np.full(3, 0.3, F32)])
        assert_same_bits(p, twin)
    assert_same_state(opt, native)


def test_a_state_factory_makes_what_comes_later() -> None:
    made: list[str] = []

    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        made.append(name)
        return np.empty(like.shape, dtype)

    opt = fs.Adam([np.ones(3)])
    opt.step([np.ones(3)])
    opt.state_factory = factory
    opt.step([np.ones(3)])
    assert made == []
    opt.amsgrad = True
    opt.step([np.ones(3)])
    assert made == ["max_exp_avg_sq"]
    assert opt.state_factory is factory
    with pytest.raises(TypeError, match="state_factory must be callable"):
        opt.state_factory = 3  # type: ignore[assignment]
    opt.state_factory = None
    opt.step([np.ones(3)])


def test_an_optimizer_that_was_never_made() -> None:
    class Mine(fs.SGD):
        def __init__(self) -> None:
            self.lr = 0.1

    with pytest.raises(RuntimeError, match="never made"):
        Mine()


# Attributes.


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("learning_rate", "did you mean 'lr'"),
        ("learningRate", "did you mean 'lr'"),
        ("beta1", "did you mean 'betas'"),
        ("beta_2", "did you mean 'betas'"),
        ("epsilon", "did you mean 'eps'"),
        ("weight_decy", "did you mean 'weight_decay'"),
        ("wd", "did you mean 'weight_decay'"),
        ("decay", "did you mean 'weight_decay' or a scheduler"),
        ("max_norm", r"the argument max_norm of step\(\)"),
        ("anything", "has no attribute 'anything'$"),
    ],
)
def test_an_unknown_attribute_names_the_nearest_option(name: str, hint: str) -> None:
    opt = fs.Adam([np.ones(3)])
    with pytest.raises(AttributeError, match=hint):
        setattr(opt, name, 0.1)
    with pytest.raises(AttributeError, match=hint):
        getattr(opt, name)
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'.*{hint[4:]}"
                       if "mean" in hint else f"unexpected keyword argument '{name}'"):  # fmt: skip
        fs.Adam([np.ones(3)], **{name: 0.1})


def test_spellings_are_ours_where_a_class_has_them() -> None:
    opt = fs.Adadelta([np.ones(2)], rho=0.5)
    opt.rho = 0.75
    assert opt.rho == 0.75
    with pytest.raises(TypeError, match="did you mean 'alpha'"):
        fs.RMSprop([np.ones(2)], rho=0.9)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="did you mean 'momentum'"):
        fs.SGD([np.ones(2)], beta1=0.9)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["param_groups", "state", "skipped_steps", "defaults", "RULE"])
def test_what_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(fs.SGD([np.ones(2)]), name, None)


def test_methods_and_private_names_are_free() -> None:
    opt: Any = fs.SGD([np.ones(2)], lr=0.5)
    calls, step = [], opt.step

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return step(*args, **kwargs)

    opt.step = wrapper
    opt._mine = 3
    opt.step([np.ones(2)])
    assert calls == [1]
    del opt.step
    opt.step([np.ones(2)])
    assert calls == [1]
    assert not hasattr(opt, "mine")


def test_a_subclass_has_attributes_of_its_own() -> None:
    class Mine(fs.SGD):
        tag = None

        @property
        def learning_rate(self) -> float:
            return self.lr

        @learning_rate.setter
        def learning_rate(self, value: float) -> None:
            self.lr = value

    opt: Any = Mine([np.ones(2)], lr=0.5)
    opt.tag, opt.log = "a", []
    opt.learning_rate = 0.25
    assert (opt.tag, opt.log, opt.lr) == ("a", [], 0.25)
    with pytest.raises(AttributeError, match="did you mean 'momentum'"):
        opt.beta1 = 0.9


@pytest.mark.parametrize("body", [{"lr": 0.1}, {"learning_rate": 0.1}, {"maximize": True}])
def test_a_subclass_cannot_hide_an_option(body: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(body))):
        type("Mine", (fs.SGD,), body)


def test_a_subclass_may_check_an_option_otherwise() -> None:
    class Mine(fs.SGD):
        lr = Option(number(0, 0.5))

    opt = Mine([np.ones(2)], lr=0.25)
    opt.step([np.ones(2)])
    opt.param_groups[0]["lr"] = 0.75
    with pytest.raises(ValueError, match=r"number in \[0, 0\.5\)"):
        opt.step([np.ones(2)])
