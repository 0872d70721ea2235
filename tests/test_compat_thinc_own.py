"""Our other optimizers as thinc's: the formulas of ours, to the bit, within thinc's call."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.clip import global_norm
from ferrostep.compat import thinc as ours
from ferrostep.compat.library import OF_LIKE_STATE
from support.arrays import Array, arrays_in, assert_same_bits, numbers_in

NAMES = sorted({getattr(fs, n).__name__ for n in OF_LIKE_STATE} - {"Adam", "RAdam", "SGD"})
SHAPES: dict[Any, tuple[int, ...]] = {(1, "W"): (31, 7), (1, "b"): (7,), "late": (2, 3, 5)}


def arrays(seed: int, dtype: Any) -> dict[Any, Array]:
    rng = np.random.default_rng(seed)
    return {key: np.asarray(rng.standard_normal(n) * 3).astype(dtype) for key, n in SHAPES.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", NAMES)
def test_every_class_has_the_bits_of_ours(name: str, dtype: Any) -> None:
    rates = [0.01, 0.02, 0.03]
    made: Any = getattr(ours, name)(rates, L2=0.1, grad_clip=2.0, maximize=True)
    plain: Any = getattr(fs, name)(weight_decay=0.1, decoupled_weight_decay=True, maximize=True)
    found, wanted = arrays(0, dtype), arrays(0, dtype)
    for i in range(8):
        plain.lr = rates[min(i, 2)]
        for key, gradient in arrays(i + 1, dtype).items():
            if key == "late" and i < 2:
                continue
            norm = global_norm(gradient)
            scale = 2.0 / norm if norm >= 2.0 else None
            plain.update_one(key, wanted[key], gradient, grad_scale=scale)
            w, g = made(key, found[key], gradient)
            assert w is found[key]
            assert not g.any()
            assert_same_bits(w, wanted[key], f"{name}, {key} at {i}")
        made.step_schedules()
        if i == 4:
            made = resumed(made, rates)
    for key, entry in plain.state.items():
        state = {word: kept[key] for word, kept in made.states.items() if key in kept}
        assert {"step": made.nr_update[key], **numbers_in(state)} == numbers_in(entry)
        for word, array in arrays_in(entry).items():
            assert_same_bits(state[word], array.reshape(-1))
    assert made.averages.keys() == plain.state.keys()


def resumed(optimizer: Any, rates: list[float]) -> Any:
    """What goes on from a file; of rates in a list, which are an iterator in thinc, from the last.

    Iterators are pickled with where they are, but thinc's are of `itertools`, which Python 3.14
    no longer pickles.
    """
    optimizer.learn_rate = rates[-1]
    again = pickle.loads(pickle.dumps(optimizer))
    assert type(again) is type(optimizer)
    return again


@pytest.mark.parametrize("name", NAMES)
def test_signatures_and_defaults(name: str) -> None:
    cls = getattr(ours, name)
    parameters = inspect.signature(cls).parameters
    defaults = inspect.signature(getattr(fs, name)).parameters
    assert next(iter(parameters)) == "learn_rate"
    assert parameters["learn_rate"].default == defaults["lr"].default
    assert parameters["L2"].default == defaults["weight_decay"].default
    assert not {"params", "lr", "weight_decay", "state_factory"} & parameters.keys()
    assert issubclass(cls, ours.Optimizer)
    assert cls is getattr(ours, name)


def test_other_spellings_are_the_same_classes() -> None:
    assert ours.RMSProp is ours.RMSprop


def test_options_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="betas"):
        ours.Lion(0.1, betas=(0.9, 1.0))
    with pytest.raises(TypeError, match=r"Lion\(\) takes no argument 'lr'; did you mean 'learn_r"):
        ours.Lion(lr=0.1)
    with pytest.raises(TypeError, match=r"'wieght_decay'"):
        ours.Lion(wieght_decay=0.1)
    with pytest.raises(TypeError, match="too many positional"):
        ours.Lion(0.1, 0.2)
    with pytest.raises(ValueError, match="Invalid schedule for 'learn_rate'"):
        ours.Lion("0.1")
    with pytest.raises(AttributeError, match="has no attribute 'Lyon'"):
        _ = ours.Lyon


def test_arrays_of_other_libraries_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be a NumPy array, found list; use Optimizer"):
        ours.Lion(0.1)((1, "W"), [1.0], np.ones(1, np.float32))


@pytest.mark.parametrize("name", [n for n in NAMES if getattr(fs, n)._schema().memory])
def test_numbers_that_are_remembered(name: str) -> None:
    """They are floats in `states`, which may be set there, and cost no new slot at each step."""
    made: Any = getattr(ours, name)(0.1, L2=0.0, grad_clip=0.0)
    plain: Any = getattr(fs, name)(lr=0.1)
    w, p, g = np.ones(3), np.ones(3), np.full(3, 0.5)
    slots = set()
    for _ in range(3):
        made("w", w, g.copy())
        plain.update_one("w", p, g)
        slots.add(made._slots["w"])
    assert len(slots) == 1
    words = plain._schema().memory
    assert {word: made.states[word]["w"] for word in words} == {
        word: plain.state["w"][word] for word in words
    }
    saved = plain.state_dict()
    for word in words:
        made.states[word]["w"] = np.float32(0.25)
        saved["state"][0][word] = 0.25
    again = type(plain)(lr=0.1)
    again.load_state_dict(saved)
    for _ in range(2):
        made("w", w, g.copy())
        again.update_one("w", p, g)
    assert_same_bits(w, p)
    before = w.copy()
    for bad in ("0.5", np.ones(2), float("nan")):
        made.states[words[0]]["w"] = bad
        gradient = g.copy()
        with pytest.raises(ValueError, match=f"'{words[0]}' of parameter 'w' must be a number"):
            made("w", w, gradient)
        assert_same_bits(w, before)
        assert_same_bits(gradient, g)
