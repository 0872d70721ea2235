"""What presets refuse: each row is a call and its error, which says what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

keras, optax, papers = fs.presets.keras, fs.presets.optax, fs.presets.papers
sklearn, torch = fs.presets.sklearn, fs.presets.torch
p = np.ones(3)


def schedule(step: int) -> float:
    return 0.1


def call(preset: Any, *args: Any, **options: Any) -> Callable[[], Any]:
    return lambda: preset(*args, **options)


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # Another formula, or what is said elsewhere.
    (
        call(keras.Adam, clipnorm=1.0),
        ValueError,
        r'clipnorm must be None, found 1.0; call step\(.*clip="parameter"',
    ),
    (call(keras.Adam, clipvalue=1.0), ValueError, "call ferrostep.clip.clip_by_value"),
    (call(keras.Adam, global_clipnorm=1.0), ValueError, r"call step\(grads, max_norm="),
    (call(keras.SGD, use_ema=True), ValueError, "must be False, found True; .*averages.EMA"),
    (call(keras.SGD, ema_overwrite_frequency=5), ValueError, "must be None, found 5; .*EMA"),
    (call(keras.SGD, loss_scale_factor=8.0), ValueError, "grad_scale=1/loss_scale_factor"),
    (call(keras.SGD, gradient_accumulation_steps=4), ValueError, "grad_scale=1/n"),
    (call(keras.RMSprop, momentum=0.9), ValueError, "must be 0.0, found 0.9; .*RMSprop"),
    (call(torch.SGD, differentiable=True), ValueError, "must be False, found True; .*in place"),
    (
        call(sklearn.SGDOptimizer, lr_schedule="adaptive"),
        ValueError,
        "must be 'constant', found 'adaptive'; .*ReduceLROnPlateau",
    ),
    (call(sklearn.AdamOptimizer, alpha=1e-4), ValueError, "weight_decay=alpha/n_samples"),
    (call(optax.adam, 0.1, eps_root=1e-8), ValueError, "must be 0.0, found 1e-08; .* eps"),
    (call(optax.adam, 0.1, mu_dtype="bfloat16"), ValueError, "must be None.*give state_dtype"),
    (call(optax.adam, 0.1, nesterov=True), ValueError, "NAdam"),
    (call(optax.adam, 0.1, mask=True), ValueError, "mask must be None, .*param groups"),
    (call(optax.adamw, 0.1, mask={"w": [[True], [1, 2]]}), ValueError, "param groups"),
    (call(optax.adamw, 0.1, mask=np.ones(2)), ValueError, "param groups"),
    (call(optax.amsgrad, 0.1), ValueError, "_mu must be False, found True; .*presets.torch"),
    (call(optax.rmsprop, 0.1, momentum=0.9), ValueError, "momentum must be None, found 0.9"),
    (call(optax.rmsprop, 0.1, bias_correction=True), ValueError, r"Adam\(betas="),
    # Rates.
    (call(keras.Adam, schedule), TypeError, "found function; .*ferrostep.schedulers"),
    (call(torch.SGD, [p], schedule), TypeError, "lr must be a number, found function"),
    (call(optax.sgd, schedule), TypeError, "learning_rate must be a number, found function"),
    (call(keras.Adam, [p]), TypeError, "must be a number, found list; give parameters as params="),
    (call(keras.Adam, (p, np.ones((2, 2)))), TypeError, "found tuple; give parameters as params="),
    (call(keras.Adam, p), TypeError, "found ndarray; give parameters as params="),
    (call(keras.Adam, {"w": p}), TypeError, "found dict; give parameters as params="),
    (call(keras.Adam, "fast"), ValueError, "Invalid learning_rate value: 'fast'"),
    (call(optax.adadelta, None), ValueError, "Invalid learning_rate value: None"),
    (call(torch.SGD, 0.1), TypeError, "write lr=0.1"),
    # Values out of bounds, by their names.
    (call(keras.RMSprop, rho=1.5), ValueError, r"Invalid rho value: 1.5 \(rho must be"),
    (
        call(keras.Adam, beta_2=1.0),
        ValueError,
        "beta parameter at index 1: 1.0 .*beta_1 and beta_2",
    ),
    (call(keras.AdamW, weight_decay=None), ValueError, "Invalid weight_decay value: None"),
    (call(optax.adamw, 0.1, weight_decay=schedule), ValueError, "Invalid weight_decay value"),
    (call(torch.SGD, lr=0.1, nesterov=True), ValueError, "Nesterov momentum requires"),
    (call(papers.AdamW, alpha=0.0, weight_decay=0.1), ValueError, "Invalid alpha value: 0.0"),
    (call(papers.AdamW, alpha="x", weight_decay=0.1), ValueError, "Invalid alpha value: 'x'"),
    (call(papers.FedAdam, eta=0.1, tau=-1.0), ValueError, "Invalid tau value: -1.0"),
    # Arguments that are not there, or missing.
    (
        call(keras.Adam, lr=0.1),
        TypeError,
        r"presets.keras.Adam\(\) takes no argument 'lr'; did you mean 'learning_rate'",
    ),
    (call(keras.Adam, b1=0.1), TypeError, "did you mean 'beta_1' and 'beta_2'"),
    (call(keras.RMSprop, alpha=0.1), TypeError, "did you mean 'rho'"),
    (call(keras.Adam, epsilonn=0.1), TypeError, "did you mean 'epsilon'"),
    (call(keras.Adam, foreach=True), TypeError, "takes no argument 'foreach'$"),
    (call(sklearn.SGDOptimizer, nesterovs_momentum=True), TypeError, "did you mean 'nesterov'"),
    (call(keras.Adam, 0.1, learning_rate=0.1), TypeError, r"keras.Adam\(\): multiple values"),
    (call(optax.adam), TypeError, r"optax.adam\(\): missing .*'learning_rate'"),
    (call(papers.AdamW), TypeError, r"papers.AdamW\(\): missing .*'weight_decay'"),
    (call(papers.AdamW, 0.1, weight_decay=0.1), TypeError, "too many positional"),
    (call(optax.ROWS["adam"].options, {"b1": 0.5}), TypeError, "no default for learning_rate"),
    (call(getattr, optax, "rprop"), AttributeError, "rprop"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD)
def test_refused(bad: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bad()
