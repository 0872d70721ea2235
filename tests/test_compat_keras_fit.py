"""Models that Keras trains, on a backend that can: KERAS_BACKEND is torch or jax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ferrostep.compat import keras as ours

pytestmark = pytest.mark.skipif(
    keras.config.backend() == "numpy", reason="Keras cannot fit on its NumPy backend"
)
X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
Y = X[:, :2] * 2 - 1
SCHEDULE = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}}


def model(optimizer: Any, **options: Any) -> Any:
    keras.utils.set_random_seed(3)
    made = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(7, activation="tanh", kernel_constraint="non_neg"),
            keras.layers.Dense(2),
        ]
    )
    made.compile(optimizer=optimizer, loss="mse", **options)
    return made


def fit(made: Any, epochs: int = 3) -> list[float]:
    history = made.fit(X, Y, epochs=epochs, batch_size=16, shuffle=False, verbose=0)
    losses: list[float] = history.history["loss"]
    return losses


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "clipnorm": 1.0}),
        ("Adam", {"global_clipnorm": 1.0, "gradient_accumulation_steps": 2}),
        ("AdamW", {"use_ema": True, "ema_overwrite_frequency": 2, "loss_scale_factor": 4.0}),
        ("RMSprop", {"momentum": 0.5}),
        ("Lion", {"weight_decay": 0.1}),
        ("Nadam", {"weight_decay": 0.1, "gradient_accumulation_steps": 2}),
    ],
)
def test_fit(name: str, options: dict[str, Any], eagerly: bool) -> None:
    losses = []
    for module in (keras.optimizers, ours):
        schedule = keras.optimizers.schedules.deserialize(SCHEDULE)
        made = model(getattr(module, name)(schedule, **options), run_eagerly=eagerly)
        losses.append(fit(made))
    # 12 steps in float32, of which Keras' own have errors of 6e-5 (test_compat_keras.py).
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


@pytest.mark.parametrize("name", ["Rprop", "AdaptiveGains", "Momentum", "Adagrad", "ASGD"])
def test_they_train(name: str) -> None:
    losses = fit(model(getattr(ours, name)(learning_rate=0.01)), epochs=5)
    assert losses[-1] < losses[0]


def test_a_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole = model(ours.AdamW(0.01, clipnorm=1.0))
    fit(whole)
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert fit(whole) == fit(loaded)
    for found, wanted in zip(loaded.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_compiled() -> None:
    wanted = fit(model(ours.Adam(0.01)))
    several = 1 if keras.config.backend() == "torch" else 2
    found = fit(model(ours.Adam(0.01), jit_compile=True, steps_per_execution=several))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)  # the model's own sums differ


def test_mixed_precision() -> None:
    before = keras.config.dtype_policy()
    losses = []
    try:
        keras.config.set_dtype_policy("mixed_float16")
        for module in (keras.optimizers, ours):
            made = model(module.Adam(0.01))
            assert isinstance(made.optimizer, keras.optimizers.LossScaleOptimizer)
            losses.append(fit(made))
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-2)  # 16-bit activations
