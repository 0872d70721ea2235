"""Options between steps: as properties, as entries of groups, and under names that are none."""

from __future__ import annotations

import copy
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, Case
from ferrostep import optimizers
from ferrostep.option import Option, reads
from ferrostep.options import non_negative, number
from ferrostep.schedulers import OneCycleLR, StepLR
from support import assert_same_bits, assert_same_state

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
        (fs.Adam, {}, "betas", (0.9, 1.0), "at index 1: 1.0"),
        (fs.AdaptiveGains, {}, "min_gain", 200.0, "must not be above max_gain"),
        (fs.Adam, {}, "state_dtype", "float64", "does not go with parameter 0"),
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


# Groups.


def test_unknown_keys_are_refused_at_the_next_step() -> None:
    p = np.ones(3)
    opt = fs.SGD([p], lr=0.5)
    opt.step([np.ones(3)])
    before = p.copy()
    for key, error, message in [
        ("learning_rate", ValueError, "did you mean 'lr'"),
        ("momentun", ValueError, "did you mean 'momentum'"),
        ("whatever", ValueError, "no option 'whatever' "),
        (3, TypeError, "must be str, found a int"),
    ]:
        opt.param_groups[0][key] = 0.1  # type: ignore[index]
        with pytest.raises(error, match=message):
            opt.step([np.ones(3)])
        with pytest.raises(error, match=message):
            opt.step([np.ones(3)])
        del opt.param_groups[0][key]  # type: ignore[arg-type]
        np.testing.assert_array_equal(p, before)
    opt.step([np.ones(3)])


def test_what_is_the_users_in_a_group() -> None:
    opt = fs.SGD([{"params": [np.ones(3)], "name": "head", "_note": object()}], lr=0.5)
    StepLR(opt, step_size=1)
    opt.step([np.ones(3)])
    opt.param_groups[0]["_note"] = []
    opt.step([np.ones(3)])
    saved = opt.state_dict()
    assert saved["param_groups"][0]["name"] == "head"
    assert "_note" not in saved["param_groups"][0]
    other = fs.SGD([{"params": [np.ones(3)], "name": "tail", "_note": 3}])
    other.load_state_dict(saved)
    assert (other.param_groups[0]["name"], other.param_groups[0]["_note"]) == ("head", 3)
    assert "_note" in copy.deepcopy(opt).param_groups[0]
    opt.param_groups[0]["name"] = 3
    with pytest.raises(TypeError, match="name of a param group"):
        opt.load_state_dict(opt.state_dict())


def test_a_name_is_kept_in_checkpoints(tmp_path: Any) -> None:
    opt = fs.SGD([{"params": [np.ones(3)], "name": "head", "_note": object()}])
    opt.step([np.ones(3)])
    opt.save(tmp_path / "run")
    other = fs.SGD([np.ones(3)])
    other.load(tmp_path / "run")
    assert other.param_groups[0]["name"] == "head"
    assert "_note" not in other.param_groups[0]


class Wild:
    """A key that changes the dict when it is compared with ``params``."""

    def __init__(self, of: dict[Any, Any]) -> None:
        self.of, self.compared = of, 0

    def __hash__(self) -> int:
        return hash("params")

    def __eq__(self, other: object) -> bool:
        self.compared += 1
        self.of[f"_{self.compared}"] = 1
        return False


class WildStr(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")


def test_a_wild_key_is_refused_and_never_compared() -> None:
    opt = fs.SGD([np.ones(3)])
    opt.step([np.ones(3)])
    group: Any = opt.param_groups[0]
    wild = Wild(group)
    for key in (wild, WildStr("_mine")):
        group[key] = 1
        compared = wild.compared
        for _ in range(2):
            with pytest.raises(TypeError, match="must be str, found a Wild"):
                opt.step([np.ones(3)])
        assert wild.compared == compared
        last = list(group.items())
        group.clear()
        group.update((k, v) for k, v in last if type(k) is str)
    opt.step([np.ones(3)])


@pytest.mark.parametrize("name", ["weight_decay", "maximize"])
def test_what_changes_while_options_are_read_is_seen_at_the_next_step(name: str) -> None:
    armed: list[Callable[[], object]] = []

    class Mine(fs.SGD):
        @classmethod
        def check(cls, options: dict[str, Any]) -> None:
            super().check(options)
            if armed:
                armed.pop()()

    p, value = np.ones(1), 0.5 if name == "weight_decay" else True
    opt, fresh = Mine([p], lr=1.0), fs.SGD([np.ones(1)], lr=0.125, **{name: value})
    opt.step([np.zeros(1)])
    armed.append(lambda: opt.param_groups[0].update({name: value}))
    opt.param_groups[0]["lr"] = 0.125
    opt.step([np.zeros(1)])
    for _ in range(2):
        p[:] = fresh._parameters()[0][:] = 1
        opt.step([np.ones(1)])
        fresh.step([np.ones(1)])
        assert_same_bits(p, fresh._parameters()[0])


# Numbers that change.

CHANGES: list[tuple[type[fs.Optimizer], dict[str, Any], list[tuple[str, Any]]]] = [
    (fs.SGD, {}, [("weight_decay", 0.1), ("weight_decay", 0.2), ("weight_decay", 0), ("lr", 1)]),
    (fs.SGD, {}, [("momentum", 0.9), ("momentum", 0.8), ("dampening", 0.5), ("momentum", 0.0)]),
    (fs.SGD, {"momentum": 0.9}, [("nesterov", True), ("lr", 0.2), ("momentum", 0.5)]),
    (fs.Momentum, {}, [("momentum", 0), ("momentum", 0.5), ("nesterov", True), ("lr", 0)]),
    (fs.RMSprop, {}, [("alpha", 0.5), ("momentum", 0.9), ("centered", True), ("momentum", 0.1)]),
    (fs.Adagrad, {}, [("lr_decay", 0.5), ("eps", 1e-3), ("lr", 0.1), ("eps_inside_sqrt", True)]),
    (fs.Adadelta, {}, [("rho", 0.5), ("eps", 1e-3), ("lr", 0.5)]),
    (fs.Adam, {}, [("betas", (0.5, 0.9)), ("lr", 0.1), ("eps", 1e-3), ("amsgrad", True)]),
    (fs.Adam, {"decoupled_weight_decay": True}, [("weight_decay", 0.1), ("lr", 0.5)]),
    (fs.AdamW, {}, [("weight_decay", 0), ("weight_decay", 0.5), ("lr", 0.5)]),
    (fs.AdaptiveGains, {}, [("momentum", 0.5), ("max_gain", 1.01), ("beta", 0.5), ("lr", 0.1)]),
    (fs.Rprop, {}, [("lr", 0.5), ("etas", (0.25, 1.5)), ("lr", 0.1)]),
]


@pytest.mark.parametrize("kind", [float, np.float64, F32, np.float16, np.array, "property"])
@pytest.mark.parametrize(("cls", "options", "changes"), CHANGES)
def test_the_next_step_goes_by_it(
    cls: Any, options: dict[str, Any], changes: list[tuple[str, Any]], kind: Any
) -> None:
    """The reference reads all options at each step; the core takes what is new."""
    shapes = [(5,), (3, 2)]
    arrays = [[np.linspace(-1, 1, int(np.prod(s)), dtype=F32).reshape(s) for s in shapes]
              for _ in range(2)]  # fmt: skip
    core, reference = (
        cls(ps, backend=b, **options) for ps, b in zip(arrays, (None, "reference"), strict=True)
    )
    gs = [np.cos(np.arange(np.prod(s), dtype=F32)).reshape(s) for s in shapes]

    def both() -> None:
        core.step(gs)
        reference.step(gs)
        for mine, theirs in zip(*arrays, strict=True):
            assert_same_bits(mine, theirs)
        assert_same_state(core, reference)

    both()
    both()
    for name, value in changes:
        plain = isinstance(value, bool | tuple) or kind == "property"
        given = value if plain else kind(value)
        for opt in (core, reference):
            if kind == "property":
                setattr(opt, name, given)
            else:
                opt.param_groups[0][name] = given
        both()
        both()
        assert type(core.param_groups[0][name]) in (float, int, bool, tuple)
        assert core.param_groups[0][name] == (value if plain else float(given))
    again = [dict(group) for group in core.param_groups]
    fresh = cls([a.copy() for a in arrays[0]], **{n: again[0][n] for n in cls._schema().checks})
    fresh.load_state_dict(core.state_dict())
    for mine, its in ((core, arrays[0]), (fresh, fresh._parameters())):
        mine.step(gs)
        arrays[1] = its
    for mine_, theirs in zip(arrays[0], fresh._parameters(), strict=True):
        assert_same_bits(mine_, theirs)


def test_a_state_that_is_made_later_starts_with_the_rate_in_force() -> None:
    p, q = np.ones(2), np.ones(2)
    opt = fs.Rprop([p, q], lr=0.5)
    opt.step([np.ones(2), None])
    opt.param_groups[0]["lr"] = 0.125
    opt.step([np.ones(2), np.ones(2)])
    np.testing.assert_array_equal(opt.state[1]["step_size"], 0.125)


def test_two_numbers_of_which_one_is_refused() -> None:
    p, twin = np.ones(2), np.ones(2)
    opt, fresh = fs.RMSprop([p]), fs.RMSprop([twin])
    for name, bad in (("eps", -1.0), ("momentum", -1.0), ("centered", 3)):
        for optimizer in (opt, fresh):
            optimizer.step([np.ones(2)])
        group = opt.param_groups[0]
        lr, value = group["lr"], group[name]
        group["lr"], group[name] = 0.5, bad
        with pytest.raises(ValueError, match="Invalid"):
            opt.step([np.ones(2)])
        group["lr"], group[name] = lr, value  # the very objects of before
        for optimizer in (opt, fresh):
            optimizer.step([np.ones(2)])
        assert_same_bits(p, twin)


def _python_calls(work: Callable[[], object]) -> int:
    calls = 0

    def count(_frame: types.FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("value", [0.25, 1, np.float64(0.5), F32(0.5)])
@pytest.mark.parametrize("cls", [getattr(optimizers, n) for n in optimizers.__all__])
def test_a_plain_number_calls_no_python(cls: Any, value: Any) -> None:
    opt = cls([np.ones(3)])
    gs = [np.ones(3)]
    opt.step(gs)
    opt.step(gs)
    opt.param_groups[0]["lr"] = value
    step = opt.step
    empty = _python_calls(lambda: None)
    assert _python_calls(lambda: step(gs)) == empty
    assert _python_calls(lambda: step(gs, grad_scale=value, max_norm=value)) == empty
    assert type(opt.param_groups[0]["lr"]) in (float, int)


def test_numpy_numbers_cost_nothing_afterwards() -> None:
    group = {"lr": np.array(0.5), "betas": (F32(0.5), 0.75), "amsgrad": np.True_}
    params = [{"params": [np.ones(3)], **group}]
    opt = fs.Adam(params, eps=np.float16(0.5), state_dtype=np.dtype("f8"))  # type: ignore[arg-type]
    gs = [np.ones(3)]
    opt.step(gs)
    assert _python_calls(lambda: opt.step(gs)) == _python_calls(lambda: None)
    found = {name: opt.param_groups[0][name] for name in ("lr", "betas", "amsgrad", "eps")}
    assert found == {"lr": 0.5, "betas": (0.5, 0.75), "amsgrad": True, "eps": 0.5}
    assert opt.param_groups[0]["state_dtype"] == "float64"


def test_a_check_of_the_users_own_is_always_asked() -> None:
    seen: list[float] = []

    class Mine(fs.SGD):
        @classmethod
        def check(cls, options: dict[str, Any]) -> None:
            super().check(options)
            seen.append(options["lr"])

    class Reads(fs.SGD):
        @classmethod
        @reads("momentum")
        def check(cls, options: dict[str, Any]) -> None:
            seen.append(options["lr"])

    for cls, wanted in ((Mine, [0.25, 0.125]), (Reads, [])):
        opt: Any = cls([np.ones(3)], lr=0.5)
        opt.step([np.ones(3)])
        seen.clear()
        for lr in (0.25, 0.125):
            opt.param_groups[0]["lr"] = lr
            opt.step([np.ones(3)])
        assert seen == wanted


@pytest.mark.parametrize("value", [0.5, 2, F32(0.25), np.array(0.25), np.float16(0.5)])
def test_scaling_takes_every_number(value: Any) -> None:
    p, twin = np.ones(3), np.ones(3)
    fs.SGD([p]).step([np.ones(3)], grad_scale=value, max_norm=value)
    fs.SGD([twin]).step([np.ones(3)], grad_scale=float(value), max_norm=float(value))
    assert_same_bits(p, twin)


def test_cycling_momentum_and_betas() -> None:
    for cls, options in ((fs.SGD, {"momentum": 0.9}), (fs.Adam, {})):
        arrays = [np.ones(3), np.ones(3)]
        opts = [cls([p], lr=0.1, backend=b, **options)  # type: ignore[operator]
                for p, b in zip(arrays, (None, "reference"), strict=True)]  # fmt: skip
        schedules = [OneCycleLR(opt, max_lr=0.5, total_steps=7) for opt in opts]
        for _ in range(7):
            for opt, schedule in zip(opts, schedules, strict=True):
                opt.step([np.full(3, 0.3)])
                schedule.step()
            assert_same_bits(*arrays)


# Numbers as gradients, and parameters that are none.


@pytest.mark.parametrize("number", [0.5, 2, np.float64(0.5), np.array(0.5)])
@pytest.mark.parametrize("structure", [lambda g: g, lambda g: [g], lambda g: (g,)])
def test_a_number_is_the_gradient_of_a_0d_parameter(number: Any, structure: Any) -> None:
    p = np.array(1.0)
    fs.SGD([p], lr=0.5).step(structure(number))
    assert p == 1 - 0.5 * float(number)


def test_a_number_is_no_other_gradient() -> None:
    for p, g in (
        (np.ones(1), 0.5),
        (np.ones((1, 1)), 1),
        (np.array(1.0), True),
        (np.array(1.0), "1"),
    ):
        with pytest.raises(TypeError, match="gradient"):
            fs.SGD([p]).step([g])
    q = np.array(1.0)
    with pytest.raises(TypeError, match="is a int"):
        fs.SGD([q]).step([10**400])
    named = {"a": np.ones(2), "b": np.array(1.0)}
    fs.SGD(named, lr=0.5).step({"a": np.ones(2), "b": 0.5})
    assert named["b"] == 0.75


@pytest.mark.parametrize(
    ("module", "name", "remedy"),
    [
        ("torch", "Tensor", r"t\.detach\(\)\.numpy\(\)"),
        ("jaxlib._jax", "ArrayImpl", r"immutable: keep the parameter as np\.array\(x\)"),
        ("tensorflow.python", "EagerTensor", r"np\.array\(x\)"),
    ],
)
def test_arrays_of_other_libraries_name_the_remedy(module: str, name: str, remedy: str) -> None:
    foreign = type(name, (), {"__module__": module, "__array__": lambda self: np.ones(2)})()
    for params in ([foreign], {"w": foreign}, [{"params": [foreign]}]):
        with pytest.raises(TypeError, match=f"parameter .* is a {name}; .*{remedy}"):
            fs.SGD(params)


def test_names_are_different_in_all_groups() -> None:
    opt = fs.SGD([{"params": [np.ones(2)], "param_names": ["a"]}])
    for names, error in ((["a"], ValueError), ("b", TypeError), ([3], TypeError), ([], ValueError)):
        with pytest.raises(error, match="name"):
            opt.add_param_group({"params": [np.ones(2)], "param_names": names})
    opt.add_param_group({"params": [np.ones(2)], "param_names": ("b",)})
    assert opt.param_groups[1]["param_names"] == ["b"]


def test_bounds_are_as_they_say() -> None:
    assert non_negative("lr", sys.float_info.max) == sys.float_info.max
    assert number(0, 1)("beta", np.nextafter(1, 0)) < 1
    for check, value in ((non_negative, -5e-324), (number(0, 1), 1.0), (number(0, 1), np.nan)):
        with pytest.raises(ValueError, match="Invalid"):
            check("x", value)
