"""What is refused in the place of Keras' optimizers, with nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from ferrostep.compat import keras as ours
from support.keras_pairs import tensors, variables


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ours.Adam(beta_1=1.0), r"Invalid beta parameter at index 0: 1.0 \(beta_1 and"),
        (lambda: ours.Adam(epsilon=-1.0), r"Invalid epsilon value: -1.0 \(epsilon must"),
        (lambda: ours.RMSprop(rho=2.0), r"Invalid rho value: 2.0"),
        (lambda: ours.Adam(weight_decay=-1.0), r"Invalid weight_decay value: -1.0"),
        (lambda: ours.Rprop(etas=(2.0, 3.0)), r"Invalid eta values: 2.0, 3.0"),
        (lambda: ours.AdaptiveGains(compare="velocity"), "momentum must not be 0 with compare="),
        # Keras' own words.
        (lambda: ours.Adam(1), "Argument `learning_rate` should be float"),
        (lambda: ours.Adam(lr=0.1), "not recognized: {'lr': 0.1}"),
        (lambda: ours.Rprop(lr=0.1), "not recognized: {'lr': 0.1}"),
        (lambda: ours.SGD(momentum=2.0), "`momentum` must be a float between"),
        (lambda: ours.AdamW(weight_decay=None), "`weight_decay` must be a float"),
        (lambda: ours.Adam(clipnorm=1.0, clipvalue=1.0), "Only one of"),
    ],
)
def test_arguments(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def shape(given: list[Any], own: list[Any], opt: Any) -> None:
    given[2] = keras.ops.ones((5, 2))


def kind(given: list[Any], own: list[Any], opt: Any) -> None:
    given[2] = given[2] * 1j


def rate(given: list[Any], own: list[Any], opt: Any) -> None:
    opt.learning_rate = float("nan")


def option(given: list[Any], own: list[Any], opt: Any) -> None:
    opt.beta_2 = 2.0


def late(given: list[Any], own: list[Any], opt: Any) -> None:
    opt.amsgrad = True


def twice(given: list[Any], own: list[Any], opt: Any) -> None:
    own[1:3] = [own[1]] * 2
    given[2] = given[1]


def shared(given: list[Any], own: list[Any], opt: Any) -> None:
    given[2] = own[2].value


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (shape, r"has shape \(5, 2\), wanted \(2, 5\)"),
        (kind, "complex64"),
        (rate, "Invalid learning rate: nan"),
        (option, "Invalid beta parameter at index 1: 2.0"),
        (late, "adam must have slots for max_exp_avg_sq, found none"),
        (twice, "variable v1 is given twice"),
        (shared, "overlap"),
    ],
)
def test_a_step_that_is_refused_has_written_nothing(
    spoil: Callable[[list[Any], list[Any], Any], None], text: str
) -> None:
    if spoil is shared and keras.config.backend() == "jax":
        pytest.skip("its values are never written")
    opt, own = ours.Adam(0.1, name="adam"), variables("float32")
    opt.build(own)
    opt.apply(tensors("float32", 0), own)
    given, stepped = tensors("float32", 1), [*own]
    spoil(given, stepped, opt)
    before = [v.numpy() for v in (*own, *opt.variables)]
    with pytest.raises((ValueError, TypeError), match=text):
        opt.apply(given, stepped)
    for variable, value in zip((*own, *opt.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_variables_that_are_built_twice() -> None:
    one = keras.Variable(keras.ops.ones(3))
    opt = ours.Adam(0.1)
    opt.build([one, one])
    with pytest.raises(ValueError, match=r"parameter 0 and parameter 1 |is given twice"):
        opt.apply([keras.ops.ones(3)] * 2, [one, one])


def test_a_backend_that_is_not_there() -> None:
    code = "from ferrostep.compat.keras import Adam"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ImportError: keras needs tensorflow for its backend; install it, or set" in done.stderr


@pytest.mark.parametrize("name", ["SGD", "Adam", "Momentum"])
def test_an_update_step_of_the_users_own_is_called(name: str) -> None:
    class Tenfold(getattr(ours, name)):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            self.assign_sub(variable, gradient * 10.0)

    variable = keras.Variable(np.ones(3, "float32"))
    Tenfold(0.1).apply([np.ones(3, "float32")], [variable])
    assert (variable.numpy() == -9).all()
