"""Runs that are saved, loaded, moved between Keras' class and ours, or done on values of a call."""

from __future__ import annotations

import gc
import pickle
import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ferrostep.compat import keras as ours
from support.keras_pairs import BOUND, CASES, IDS, Pair, tensors, variables

OWN = [
    ("ASGD", {"t0": 2.0}),
    ("NovoGrad", {}),
    ("Momentum", {}),
    ("Rprop", {}),
    ("AdaptiveGains", {"momentum": 0.5}),
]


def values(variables: list[Any]) -> list[Any]:
    return [v.numpy() for v in variables]


def held(variables: list[Any]) -> list[Any]:
    """Copies as the backend has them."""
    return [keras.ops.copy(keras.ops.convert_to_tensor(v)) for v in variables]


def run(optimizer: Any, own: list[Any], steps: range) -> None:
    for step in steps:
        optimizer.apply(tensors("float32", step), own)


@pytest.mark.parametrize(
    ("name", "options"), [*CASES, *OWN], ids=[*IDS, *(name for name, _ in OWN)]
)
def test_a_run_goes_on_with_the_same_bits(name: str, options: dict[str, Any]) -> None:
    make = getattr(ours, name)
    whole, own = make(0.01, **options), variables("float32")
    whole.build(own)
    run(whole, own, range(3))
    store: dict[str, Any] = {}
    whole.save_own_variables(store)
    resumed, other = make.from_config(whole.get_config()), variables("float32", seed=1)
    resumed.build(other)
    run(resumed, other, range(7, 9))  # that it was used before does not matter
    for variable, value in zip(other, values(own), strict=True):
        variable.assign(value)
    resumed.load_own_variables(store)
    run(whole, own, range(3, 6))
    run(resumed, other, range(3, 6))
    for found, wanted in zip((*other, *resumed.variables), (*own, *whole.variables), strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy(), wanted.path)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_runs_move_between_keras_class_and_ours(
    name: str, options: dict[str, Any], first: int
) -> None:
    pair = Pair(name, {"learning_rate": 0.01, **options})
    pair.run(3)
    store: dict[str, Any] = {}
    pair.optimizers[first].save_own_variables(store)
    pair.optimizers[1 - first].load_own_variables(store)
    pair.run(3, start=3)
    pair.compare(BOUND)


def model() -> Any:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    keras.utils.set_random_seed(1)
    return made


def train(made: Any, start: int) -> None:
    rng = np.random.default_rng(start)
    for _ in range(3):
        given = [
            keras.ops.convert_to_tensor(rng.normal(size=v.shape), dtype="float32")
            for v in made.trainable_variables
        ]
        made.optimizer.apply(given, made.trainable_variables)


def test_models_in_files(tmp_path: Path) -> None:
    made = model()
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    made.compile(ours.AdamW(schedule, weight_decay=0.1, use_ema=True), loss="mse")
    made.optimizer.build(made.trainable_variables)
    train(made, 0)
    path = tmp_path / "model.keras"
    made.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded.optimizer) is ours.AdamW
    train(made, 1)
    train(loaded, 1)
    for mine, wanted in (
        (loaded.trainable_variables, made.trainable_variables),
        (loaded.optimizer.variables, made.optimizer.variables),
    ):
        for found, value in zip(mine, wanted, strict=True):
            np.testing.assert_array_equal(found.numpy(), value.numpy(), value.path)


@pytest.mark.parametrize("name", ours.__all__)
def test_documents(name: str) -> None:
    opt = getattr(ours, name)(0.25, clipnorm=1.0)
    for again in (
        keras.optimizers.deserialize(keras.optimizers.serialize(opt)),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(opt)),
        pickle.loads(pickle.dumps(opt)),
    ):
        assert type(again) is type(opt)
        assert again.get_config() == opt.get_config()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_step_on_the_values_of_a_call(name: str, options: dict[str, Any]) -> None:
    opt, own = getattr(ours, name)(0.01, **options), variables("float32")
    opt.build(own)
    run(opt, own, range(2))
    before = values([*own, *opt.variables])
    given = tensors("float32", 2)
    params, state = opt.stateless_apply(*map(held, (opt.variables, given, own)))
    for variable, value in zip((*own, *opt.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    run(opt, own, range(2, 3))
    for variable, value in zip((*own, *opt.variables), (*params, *state), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.skipif(keras.config.backend() == "jax", reason="its LossScaleOptimizer is stateless")
def test_in_keras_optimizers_of_optimizers() -> None:
    for wrap in (
        lambda o: keras.optimizers.LossScaleOptimizer(o, initial_scale=2.0, name="outer"),
        lambda o: keras.optimizers.MultiOptimizer(lambda v, o=o: o, name="outer"),
    ):
        pair = Pair("Adam", {})
        pair.optimizers = [wrap(type(o)(0.01, name="inner")) for o in pair.optimizers]
        for optimizer, own in zip(pair.optimizers, pair.variables, strict=True):
            optimizer.build(own)
        pair.run(3)
        pair.compare(BOUND)


def test_nothing_is_kept_alive() -> None:
    opt, own = ours.Adam(0.1), variables("float32")
    opt.build(own)
    run(opt, own, range(1))
    held = [weakref.ref(opt), *map(weakref.ref, own)]
    del opt, own
    gc.collect()
    assert [ref() for ref in held] == [None] * len(held)
