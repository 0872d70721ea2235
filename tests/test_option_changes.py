"""Numbers that change: the next step goes by them, and a plain one calls no Python."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, CLASSES, ELEMENTWISE
from ferrostep.option import reads
from ferrostep.schedulers import OneCycleLR
from support.arrays import assert_same_bits, assert_same_state

F32 = np.float32

CHANGES: list[tuple[type[fs.Optimizer], dict[str, Any], list[tuple[str, Any]]]] = [
    (fs.SGD, {}, [("weight_decay", 0.1), ("weight_decay", 0.2), ("weight_decay", 0), ("lr", 1)]),
    (fs.SGD, {}, [("momentum", 0.9), ("momentum", 0.8), ("dampening", 0.5), ("momentum", 0.0)]),
    (fs.SGD, {"momentum": 0.9}, [("nesterov", True), ("lr", 0.2), ("momentum", 0.5)]),
    (fs.SGD, {"momentum": 0.9}, [("average", True), ("momentum", 0.5), ("average", False)]),
    (fs.Momentum, {}, [("momentum", 0), ("momentum", 0.5), ("nesterov", True), ("lr", 0)]),
    (fs.RMSprop, {}, [("alpha", 0.5), ("momentum", 0.9), ("centered", True), ("momentum", 0.1)]),
    (fs.Adagrad, {}, [("lr_decay", 0.5), ("eps", 1e-3), ("lr", 0.1), ("eps_inside_sqrt", True)]),
    (fs.Adadelta, {}, [("rho", 0.5), ("eps", 1e-3), ("lr", 0.5)]),
    (fs.Adam, {}, [("betas", (0.5, 0.9)), ("lr", 0.1), ("eps", 1e-3), ("amsgrad", True)]),
    (fs.Adam, {}, [("initial_accumulator_value", 0.5), ("bias_correction", False), ("lr", 0.5)]),
    (fs.Adam, {"decoupled_weight_decay": True}, [("weight_decay", 0.1), ("lr", 0.5)]),
    (fs.AdamW, {}, [("weight_decay", 0), ("weight_decay", 0.5), ("lr", 0.5)]),
    (fs.AdaptiveGains, {}, [("momentum", 0.5), ("max_gain", 1.01), ("beta", 0.5), ("lr", 0.1)]),
    (fs.Rprop, {}, [("lr", 0.5), ("etas", (0.25, 1.5)), ("lr", 0.1)]),
    (fs.Lion, {}, [("betas", (0.5, 0.75)), ("lr", 0.1), ("weight_decay", 0.1)]),
]
#: A class without a row of its own has what every class has.
KNOWN = {cls for cls, _, _ in CHANGES}
CHANGES += [
    (cls, {}, [("lr", 0.5), ("weight_decay", 0.1), ("lr", 0.1), ("maximize", True)])
    for cls in ELEMENTWISE
    if cls not in KNOWN
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


def numbers_halved(options: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**options, name: x / 2} for name, x in options.items() if type(x) is float]


@pytest.mark.parametrize("cls", ELEMENTWISE)
def test_every_option_of_every_class_may_change(cls: type[fs.Optimizer]) -> None:
    """From case to case of the table, and then each number alone."""
    ours = [case for case in CASES if case.optimizer is cls and "state_dtype" not in case.options]
    sets = [case.make(None).defaults for case in ours]
    sets += [changed for options in sets for changed in numbers_halved(options)]
    arrays = [np.linspace(-1, 1, 7, dtype=F32) for _ in range(2)]
    core, reference = (
        cls([p], backend=b)  # type: ignore[call-arg, arg-type]
        for p, b in zip(arrays, (None, "reference"), strict=True)
    )
    for step, options in enumerate(sets):
        g = np.cos(np.arange(7, dtype=F32) + step)
        for opt in (core, reference):
            opt.param_groups[0].update(options)
            opt.step([g])
            opt.step([g])
        assert_same_bits(*arrays)
        assert_same_state(core, reference)


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
@pytest.mark.parametrize("cls", CLASSES)
def test_a_plain_number_calls_no_python(cls: Any, value: Any) -> None:
    opt = cls([np.ones((3, 1))])
    gs = [np.ones((3, 1))]
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

    class Below(Mine):
        @classmethod
        @reads("momentum")
        def check(cls, options: dict[str, Any]) -> None:
            super().check(options)

    for cls, wanted in ((Mine, [0.25, 0.125]), (Below, [0.25, 0.125]), (Reads, [])):
        opt: Any = cls([np.ones(3)], lr=0.5)
        opt.step([np.ones(3)])
        seen.clear()
        for lr in (0.25, 0.125):
            opt.param_groups[0]["lr"] = lr
            opt.step([np.ones(3)])
        assert seen == wanted


def test_a_check_that_says_what_it_reads_reads_what_its_bases_do_too() -> None:
    class Fast(fs.SGD):
        @classmethod
        @reads("lr")
        def check(cls, options: dict[str, Any]) -> None:
            super().check(options)
            if options["lr"] > 1:
                raise ValueError("too fast")

    p = np.ones(3)
    opt = Fast([p], momentum=0.9, nesterov=True)
    opt.step([np.ones(3)])
    before = p.copy()
    for name, value, message in (("momentum", 0.0, "Nesterov"), ("lr", 2.0, "too fast")):
        with pytest.raises(ValueError, match=message):
            setattr(opt, name, value)
        kept, opt.param_groups[0][name] = opt.param_groups[0][name], value
        with pytest.raises(ValueError, match=message):
            opt.step([np.ones(3)])
        opt.param_groups[0][name] = kept
    assert_same_bits(p, before)


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
