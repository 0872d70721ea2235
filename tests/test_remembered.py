"""Numbers that a rule remembers: state beside the arrays, saved, loaded and refused like them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from support.arrays import assert_same_bits, assert_same_state, numbers_in
from support.remembered import REMEMBERING, SHAPES, grads, made, memory, params, same, stepped


def by_state_dict(opt: fs.Optimizer) -> fs.Optimizer:
    other = made(type(opt), {n: p.copy() for n, p in zip(SHAPES, opt._parameters(), strict=True)})
    other.load_state_dict(opt.state_dict())
    return other


def by_file(opt: fs.Optimizer) -> fs.Optimizer:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        opt.save(Path(folder) / "run")
        other = made(type(opt))
        other.load(Path(folder) / "run")
    return other


COPIES: dict[str, Callable[[fs.Optimizer], fs.Optimizer]] = {
    "state_dict": by_state_dict,
    "file": by_file,
    "pickle": lambda opt: pickle.loads(pickle.dumps(opt)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("cls", REMEMBERING)
def test_a_run_goes_on_with_the_same_bits(cls: Any, how: str) -> None:
    whole = stepped(cls, 6)
    opt = COPIES[how](stepped(cls, 3))
    for t in range(3, 6):
        opt.step(grads(t))
    same(opt, whole)
    assert all(type(x) is float for x in memory(opt, "w").values())


@pytest.mark.parametrize("cls", REMEMBERING)
def test_a_state_dict_is_of_its_moment(cls: Any) -> None:
    opt = stepped(cls, 2)
    saved = opt.state_dict()
    before = copy.deepcopy(saved["state"][0])
    opt.step(grads(2))
    assert numbers_in(saved["state"][0]) == numbers_in(before)
    with pytest.raises(TypeError):
        opt.state["w"][cls._schema().memory[0]] = 0.5  # type: ignore[index]


BAD = {
    "missing": (..., r"lacks '{name}', without which {cls} cannot go on"),
    "nan": (
        float("nan"),
        r"'{name}' of parameter ('w'|0) must be (a .*number.*|0 or 1), found nan",
    ),
    "str": ("0.5", r"'{name}' of parameter ('w'|0) must be a number, found '0.5'"),
    "two": (
        np.ones(2),
        r"'{name}' of parameter ('w'|0) must be a number, found array\(\[1., 1.\]\)",
    ),
    "none": (None, r"'{name}' of parameter ('w'|0) must be a number, found None"),
    "bool": (True, r"'{name}' of parameter ('w'|0) must be a number, found True"),
    "complex": (0.5j, r"'{name}' of parameter ('w'|0) must be a number, found 0.5j"),
    "object": (object(), r"'{name}' of parameter ('w'|0) must be a number, found <object"),
    "list": (
        [[1.0], 2.0],
        r"'{name}' of parameter ('w'|0) must be a number, found \[\[1.0\], 2.0\]",
    ),
    "huge": (10**400, r"'{name}' of parameter ('w'|0) must be a number, found 1000"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("cls", REMEMBERING)
def test_what_is_no_number_is_refused_before_anything_is_written(cls: Any, what: str) -> None:
    value, text = BAD[what]
    for name in cls._schema().memory:
        saved, opt, twin = stepped(cls, 3).state_dict(), stepped(cls, 1), stepped(cls, 1)
        if value is ...:
            del saved["state"][0][name]
        else:
            saved["state"][0][name] = value
        for strict in (True, False):
            with pytest.raises(ValueError, match=text.format(name=name, cls=cls.__name__)):
                opt.load_state_dict(saved, strict=strict)
        same(opt, twin)
        unbound = cls(lr=0.1)
        with pytest.raises(ValueError, match=text.format(name=name, cls=cls.__name__)):
            unbound.load_state_dict(saved)
        assert not unbound.state


@pytest.mark.parametrize("cls", REMEMBERING)
def test_all_that_is_wrong_is_told_at_once(cls: Any) -> None:
    saved, name = stepped(cls, 1).state_dict(), cls._schema().memory[0]
    saved["state"][0].update({"step": -1, name: "x"})
    with pytest.raises(ValueError, match=rf"(?s)the step of parameter 'w'.*'{name}' of parameter"):
        made(cls).load_state_dict(saved)


@pytest.mark.parametrize(
    "kind", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, int, np.array, np.atleast_1d]
)
def test_a_number_may_be_of_any_type(kind: Any) -> None:
    opt = stepped(fs.NAdam, 1)
    saved = opt.state_dict()
    saved["state"][0]["mu_product"] = kind(1)
    opt.load_state_dict(saved)
    assert memory(opt, "w") == {"mu_product": 1.0}


@pytest.mark.parametrize("cls", REMEMBERING)
def test_what_fits_is_loaded_with_its_numbers(cls: Any) -> None:
    source = stepped(cls, 3)
    opt = made(cls, {"head": np.ones(4), "b": params()["b"]})
    report = opt.load_state_dict(source.state_dict(), strict=False)
    assert report.loaded == ("b",)
    assert memory(opt, "b") == memory(source, "b")
    assert "head" not in opt.state


@pytest.mark.parametrize("cls", REMEMBERING)
def test_unbound_optimizers(cls: Any) -> None:
    whole = stepped(cls, 5)
    source = stepped(cls, 2)
    ps = {n: p.copy() for n, p in zip(SHAPES, source._parameters(), strict=True)}
    opt = cls(lr=0.1)
    opt.load_state_dict(source.state_dict())
    assert memory(opt, "w") == memory(source, "w")
    again = pickle.loads(pickle.dumps(opt))
    again.update(ps, grads(2))
    again = copy.deepcopy(again)
    for t in (3, 4):
        again.update(ps, grads(t))
    for p, q in zip(ps.values(), whole._parameters(), strict=True):
        assert_same_bits(p, q)
    assert memory(again, "b") == memory(whole, "b")


@pytest.mark.parametrize("cls", [cls for cls in REMEMBERING if not cls.WHOLE_MODEL])
def test_each_key_has_numbers_of_its_own(cls: Any) -> None:
    opt, ps = cls(lr=0.1), params()
    for t in range(3):
        opt.update_one("w", ps["w"], grads(t)["w"])
    opt.update_one("b", ps["b"], grads(0)["b"])
    assert memory(opt, "w") == memory(stepped(cls, 3), "w")
    assert memory(opt, "b") == memory(stepped(cls, 1), "b")


@pytest.mark.parametrize("cls", REMEMBERING)
def test_a_replaced_parameter_keeps_them_and_reset_forgets_them(cls: Any) -> None:
    opt = stepped(cls, 3)
    before = memory(opt, "w")
    opt.replace("w", np.zeros((4, 2)), [0, 1, 2, -1])
    assert memory(opt, "w") == before
    opt.reset()
    assert "w" not in opt.state
    given = {"w": np.ones((4, 2)), "b": np.ones(5)}
    opt.step(given)
    fresh = made(cls, {name: np.zeros_like(g) for name, g in given.items()})
    fresh.step(given)
    assert memory(opt, "w") == memory(fresh, "w")


@pytest.mark.parametrize("cls", REMEMBERING)
def test_a_step_that_is_not_made_changes_none(cls: Any) -> None:
    opt = stepped(cls, 2)
    before = {key: memory(opt, key) for key in SHAPES}
    opt.nonfinite = "skip"
    opt.step({"w": np.full((3, 2), np.nan), "b": np.ones(5)})
    opt.step({"w": None, "b": None})
    with pytest.raises(ValueError, match="shape"):
        opt.step({"w": np.ones((3, 2)), "b": np.ones(4)})
    assert opt._prepare(grads(2))
    opt._abandon()
    assert {key: memory(opt, key) for key in SHAPES} == before


@pytest.mark.parametrize("cls", REMEMBERING)
def test_init_state_begins_with_what_the_first_step_would(cls: Any) -> None:
    """Whatever the step count: what a rule has remembered of earlier steps nobody knows."""
    opt = made(cls)
    opt.init_state(step=7)
    first = made(cls)
    first.init_state()
    assert memory(opt, "w") == memory(first, "w")
    assert opt.state["w"]["step"] == 7
    assert_same_state(by_state_dict(opt), opt)


def test_numbers_begin_as_the_options_of_the_first_step_say() -> None:
    p, q = np.ones(2), np.ones(2)
    opt, twin = fs.ASGD([p], lr=0.5), fs.ASGD([q], lr=0.125)
    opt.init_state()
    opt.lr = 0.125
    for each in (opt, twin):
        each.step([np.ones(2)])
    assert_same_bits(p, q)


@pytest.mark.parametrize("cls", REMEMBERING)
def test_a_nan_that_a_gradient_brought_goes_on(cls: Any, tmp_path: Path) -> None:
    """A rule that measures remembers it, and so its run can be saved and loaded like any other."""
    opt = stepped(cls, 2)
    opt.step({"w": np.full((3, 2), np.nan), "b": np.ones(5)})
    for copied in COPIES.values():
        other = copied(opt)
        for p, q in zip(other._parameters(), opt._parameters(), strict=True):
            assert_same_bits(p, q)
        assert repr(memory(other, "w")) == repr(memory(opt, "w"))


def test_where_no_row_stays_nothing_of_its_gradients_does() -> None:
    params = {"w": np.ones((2, 3))}
    opt = fs.NovoGrad(params)
    opt.step({"w": np.full((2, 3), np.nan)})
    opt.replace("w", np.ones((2, 3)), [-1, -1])
    assert opt.state["w"]["exp_avg_sq"] == 0
    again = pickle.loads(pickle.dumps(opt))
    again.load_state_dict(opt.state_dict())


def test_a_nan_beside_no_element_is_loaded() -> None:
    def make() -> fs.Optimizer:
        return fs.ScheduleFreeSGD([np.ones((0, 2))], lr=0.0, r=200.0)

    opt = make()
    for _ in range(40):
        opt.step([np.ones((0, 2))])
    assert np.isnan(opt.state[0]["weight_sum"])
    make().load_state_dict(opt.state_dict())
