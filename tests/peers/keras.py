"""Keras' own tests that touch optimizers, on each backend that is there."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from peers.suite import TESTS, Suite

#: Files of keras/src, as its wheel has them.
FILES = (
    "optimizers/adadelta_test.py",
    "optimizers/adagrad_test.py",
    "optimizers/adam_test.py",
    "optimizers/adamw_test.py",
    "optimizers/lion_test.py",
    "optimizers/loss_scale_optimizer_test.py",
    "optimizers/multi_optimizer_test.py",
    "optimizers/optimizer_sparse_test.py",
    "optimizers/optimizer_test.py",
    "optimizers/rmsprop_test.py",
    "optimizers/schedules/learning_rate_schedule_test.py",
    "optimizers/sgd_test.py",
)


#: What fails, by backend: why it does not apply.
NO_TENSORFLOW = "its TensorBoard writes with tensorflow, which is not there, whatever the optimizer"
SPARSE = "it wants variables to be assigned sparse values; ours are whole arrays, the same numbers"
INAPPLICABLE = {
    "numpy": {},
    "torch": {"test_tensorboard_logging_with_multi_optimizer": NO_TENSORFLOW},
    "jax": {
        "test_tensorboard_logging_with_multi_optimizer": NO_TENSORFLOW,
        "test_sparse_gradients_adadelta": SPARSE,
        "test_sparse_gradients_adagrad": SPARSE,
        "test_sparse_gradients_loss_scale_optimizer_sgd": SPARSE,
        "test_sparse_gradients_rmsprop": SPARSE,
        "test_sparse_gradients_sgd": SPARSE,
    },
}
#: What each backend imports; Keras' NumPy backend takes parts of that of JAX.
NEEDED = {"numpy": "jax", "torch": "torch", "jax": "jax"}


def suites(backend: str) -> Iterator[Suite]:
    """Yield Keras' tests with ours in place, and our own of the adapter."""
    keras = find_spec("keras")
    assert keras is not None
    assert keras.origin is not None
    source = Path(keras.origin).parent / "src"
    environment = {"KERAS_BACKEND": backend}
    yield Suite(
        name=f"keras on {backend}",
        tests=tuple(str(source / file) for file in FILES),
        plugin="peers.keras_plugin",
        environment=environment,
        inapplicable=INAPPLICABLE[backend],
    )
    own = tuple(sorted(map(str, TESTS.glob("test_compat_keras*.py"))))
    yield Suite(f"ours on {backend}", own, plugin="peers", environment=environment)


SUITES = tuple(
    suite for backend, needed in NEEDED.items() if find_spec(needed) for suite in suites(backend)
)
