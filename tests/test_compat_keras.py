"""Our classes in the place of Keras': the same numbers, on its NumPy backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ferrostep as fs
from ferrostep import presets
from ferrostep.compat import keras as ours
from ferrostep.compat.keras.slots import SLOTS, number_type
from ferrostep.compat.library import OF_LIKE_STATE
from ferrostep.presets.keras import ROWS
from support.keras_pairs import BOUND, CASES, IDS, Pair, gradients, tensors, variables

SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_the_same_numbers(name: str, options: dict[str, Any], dtype: str) -> None:
    for rate in (0.01, SCHEDULE):
        pair = Pair(name, {"learning_rate": rate, **options}, dtype)
        pair.run(6)
        pair.compare(BOUND)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_the_bits_of_the_preset(name: str, options: dict[str, Any], dtype: str) -> None:
    if name == "Adagrad":  # Keras makes its slots in float32
        options = {"initial_accumulator_value": 0.5, **options}
    opt, own = getattr(ours, name)(0.25, **options), variables(dtype)
    arrays = [v.numpy() for v in own]
    bare = getattr(presets.keras, name)(0.25, **options, params=arrays)
    opt.build(own)
    for step in range(5):
        opt.apply(tensors(dtype, step), own)
        bare.step(gradients(dtype, step))
    for variable, array in zip(own, arrays, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)


@pytest.mark.parametrize(
    "around",
    [
        {"clipnorm": 0.5},
        {"clipvalue": 0.5},
        {"global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
        {"loss_scale_factor": 8.0},
        {"gradient_accumulation_steps": 2},
        {"gradient_accumulation_steps": 2, "use_ema": True, "weight_decay": 0.1},
    ],
    ids=lambda around: "-".join(around),
)
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_what_keras_does_around_a_step(name: str, around: dict[str, Any]) -> None:
    pair = Pair(name, {"learning_rate": 0.02, **around})
    pair.run(7)
    pair.compare(BOUND)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_rmsprop_has_momentum_as_keras_has_it(momentum: float) -> None:
    options = {"learning_rate": SCHEDULE, "momentum": momentum, "weight_decay": 0.1}
    pair = Pair("RMSprop", options)
    pair.run(6)
    pair.compare(0.0 if momentum and keras.config.backend() == "numpy" else BOUND)


@pytest.mark.parametrize("name", SLOTS)
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_step_without_some_gradients_counts_for_all(name: str) -> None:
    pair = Pair(name, {"learning_rate": 0.02})
    for step in range(6):
        for optimizer, own in zip(pair.optimizers, pair.variables, strict=True):
            given = tensors("float32", step)
            if step in (1, 2):
                given[1] = None
            optimizer.apply(given[: 3 + step // 4 * 2], own[: 3 + step // 4 * 2])
    pair.compare(BOUND)


@pytest.mark.skipif(number_type() == "float32", reason="it has no float64 unless told")
def test_what_a_step_learns_of_the_whole_model_is_of_all_variables() -> None:
    opt, own = ours.Prodigy(d0=0.01), variables("float64")
    arrays = [v.numpy().copy() for v in own]
    bare = fs.Prodigy(arrays, d0=0.01, decoupled_weight_decay=True)
    opt.build(own)
    for step in range(6):
        given, grads = tensors("float64", 0), [*gradients("float64", 0)]
        if step in (1, 2):
            given[1] = grads[1] = None
        opt.apply(given, own)
        bare.step(grads)
        assert len({float(d) for d in opt._d}) == 1
        assert float(opt._d[1]) == bare.state[1]["d"]
    assert bare.state[1]["d"] > 0.01
    for variable, array in zip(own, arrays, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)
    with keras.StatelessScope(), pytest.raises(ValueError, match="found 1 of 5; give zeros"):
        opt.apply(tensors("float64", 0)[:1], own[:1])


def test_variables_without_weight_decay() -> None:
    pair = Pair("Adam", {"learning_rate": 0.02, "weight_decay": 0.5})
    for optimizer, own in zip(pair.optimizers, pair.variables, strict=True):
        optimizer.exclude_from_weight_decay(var_list=[own[2]], var_names=["v0"])
    pair.run(4)
    pair.compare(BOUND)
    for optimizer in pair.optimizers:
        optimizer.exclude_from_weight_decay(var_names=["v1"])
    pair.run(4, start=4)
    pair.compare(BOUND)


def test_arguments_that_change_between_steps() -> None:
    pair = Pair("AdamW", {"learning_rate": 0.02})
    pair.run(2)
    for optimizer in pair.optimizers:
        optimizer.learning_rate = 0.05
        optimizer.weight_decay = 0.1
        optimizer.beta_1 = 0.5
    pair.run(2, start=2)
    pair.compare(BOUND)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits(dtype: str) -> None:
    """Keras rounds each operation to 16 bits, ours a step: no more than theirs is asked of it."""
    pair = Pair("SGD", {"learning_rate": 0.125, "momentum": 0.5}, dtype)
    pair.run(3)
    pair.compare(2.0**-6 if dtype == "bfloat16" else 2.0**-9)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="its values are never written")
def test_steps_are_in_place() -> None:
    opt, own = ours.Adam(0.1), variables("float64")
    opt.build(own)
    opt.apply(tensors("float64", 0), own)
    arrays = [v.value for v in (*own, *opt._momentums, *opt._velocities)]
    before = [v.numpy() for v in (*own, *opt._momentums, *opt._velocities)]
    opt.apply(tensors("float64", 1), own)
    assert all(v.value is a for v, a in zip(own, arrays, strict=False))
    after = map(keras.ops.convert_to_numpy, arrays)
    changed = [not np.array_equal(a, b) for a, b in zip(after, before, strict=True)]
    assert changed == [array.size > 0 for array in before]


@pytest.mark.parametrize("name", ["ASGD", "Momentum", "Rprop", "AdaptiveGains"])
def test_classes_that_keras_does_not_have(name: str) -> None:
    opt, own = getattr(ours, name)(learning_rate=0.05), variables("float64")
    arrays = [v.numpy() for v in own]
    bare = getattr(fs, name)(arrays, lr=float(np.float32(0.05)))
    opt.build(own)
    for step in range(5):
        opt.apply(tensors("float64", step), own)
        bare.step(gradients("float64", step))
    for variable, array in zip(own, arrays, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)
    slots = {v.path.rpartition("v1_")[2] for v in opt.variables if "v1_" in v.path}
    assert slots == bare.state[1].keys() - {"step"}


@pytest.mark.skipif(keras.config.backend() == "jax", reason="it has no float64 unless told")
def test_numbers_that_are_remembered_are_variables() -> None:
    opt, own = ours.ASGD(learning_rate=0.5, t0=1.0), variables("float64")
    opt.build(own)
    opt.learning_rate = 0.25  # with which they begin: there was no step yet
    arrays = [v.numpy() for v in own]
    bare = fs.ASGD(arrays, lr=0.25, t0=1.0)

    def steps(of: range) -> None:
        for step in of:
            opt.apply(tensors("float64", step), own)
            bare.step(gradients("float64", step))
        for i, (variable, array) in enumerate(zip(own, arrays, strict=True)):
            np.testing.assert_array_equal(variable.numpy(), array)
            for name, kept in (("eta", opt._eta), ("mu", opt._mu)):
                assert (kept[i].shape, kept[i].dtype) == ((), "float64")
                assert kept[i].numpy() == bare.state[i][name]

    steps(range(3))
    opt._eta[1].assign(0.125)
    saved = bare.state_dict()
    saved["state"][1]["eta"] = 0.125
    bare.load_state_dict(saved)
    steps(range(3, 6))


def test_keras_nadam_has_one_number_for_all() -> None:
    for dtype in ("float32", "float16"):
        opt, own = ours.NAdam(0.25, beta_1=0.5), variables(dtype)
        opt.build(own)
        for step in range(2):
            opt.apply(tensors(dtype, step)[2:4], own[2:4])
        assert opt._u_product.dtype == dtype
        wanted = 0.25 * (1 - 0.5 * 0.96) * (1 - 0.5 * 0.96**2)
        np.testing.assert_allclose(float(opt._u_product.numpy()), wanted, rtol=2e-3)
        opt._u_product.assign(0.0)
        opt.apply(tensors(dtype, 2), own)
        assert float(opt._u_product.numpy()) == 0.0


def test_every_class_is_here() -> None:
    assert SLOTS.keys() == ROWS.keys() - {"Adafactor", "ScheduleFreeAdamW"}
    for name in OF_LIKE_STATE:
        cls = getattr(ours, name)
        theirs = {row.lower(): row for row in ROWS}.get(cls.__name__.lower(), "Optimizer")
        assert issubclass(cls, getattr(keras.optimizers, theirs))
    assert set(OF_LIKE_STATE) <= set(dir(ours))
    assert ours.AdaDelta is ours.Adadelta
    assert ours.Nadam is ours.NAdam
    with pytest.raises(AttributeError, match="no attribute 'Adum'"):
        _ = ours.Adum
    with pytest.raises(AttributeError, match=r"evaluated after eval\(\), which nobody calls"):
        _ = ours.ScheduleFreeAdamW
