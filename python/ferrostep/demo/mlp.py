"""A multilayer perceptron in plain NumPy, forward and backward by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def make(sizes: list[int], rng: np.random.Generator) -> list[F32]:
    """Weights and biases, W1, b1, W2, b2, ... (He initialisation)."""
    params: list[F32] = []
    for n, m in pairwise(sizes):
        params.append((rng.standard_normal((n, m)) * np.sqrt(2 / n)).astype(np.float32))
        params.append(np.zeros(m, np.float32))
    return params


def forward(params: list[F32], x: F32) -> list[F32]:
    """The input of every layer and, last, the logits."""
    layers = [x]
    for i in range(0, len(params), 2):
        z = layers[-1] @ params[i] + params[i + 1]
        layers.append(np.maximum(z, 0) if i + 2 < len(params) else z)  # ReLU between layers
    return layers


def loss_and_gradients(params: list[F32], x: F32, y: NDArray[np.intp]) -> tuple[float, list[F32]]:
    """Mean cross-entropy of the softmax, and its gradient for every parameter."""
    layers = forward(params, x)
    shifted = layers[-1] - layers[-1].max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    delta = np.exp(log_p)  # dL/dlogits = (softmax - one_hot) / batch size
    delta[rows, y] -= 1
    delta /= len(y)
    grads: list[F32] = []
    for i in reversed(range(0, len(params), 2)):
        a = layers[i // 2]
        grads[:0] = [a.T @ delta, delta.sum(axis=0)]
        delta = (delta @ params[i].T) * (a > 0)
    return float(-log_p[rows, y].mean()), grads


def accuracy(params: list[F32], x: F32, y: NDArray[np.intp]) -> float:
    return float((forward(params, x)[-1].argmax(axis=1) == y).mean())
