"""Layers that update themselves, and go back through the weights that they had.

By hand `backward` keeps the old `W`, makes a new one, and multiplies with the old one. `updated`
returns new arrays, so that the old ones stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ferrostep as fs

Array = NDArray[np.float64]
Gradient = Callable[[Array, int], Array]
Start = list[tuple[Array, Array]]


class Layer:
    """A dense layer with a ReLU; a subclass says how it moves."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b

    def forward(self, x: Array) -> Array:
        self.x, self.mask = x, x @ self.W + self.b > 0
        return (x @ self.W + self.b) * self.mask

    def backward(self, delta: Array) -> Array:
        delta = delta * self.mask
        old = self.W
        self.move(self.x.T @ delta, delta.sum(axis=0))
        return delta @ old.T

    def move(self, dW: Array, db: Array) -> None:
        raise NotImplementedError


class ByHand(Layer):
    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W, b)
        self.vW, self.vb = np.zeros_like(W), np.zeros_like(b)

    def move(self, dW: Array, db: Array) -> None:
        self.vW = 0.9 * self.vW - 0.05 * dW
        self.vb = 0.9 * self.vb - 0.05 * db
        self.W = self.W + self.vW
        self.b = self.b + self.vb


class WithFerrostep(Layer):
    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W, b)
        self.opt = fs.Momentum(lr=0.05)

    def move(self, dW: Array, db: Array) -> None:
        self.W, self.b = self.opt.updated((self.W, self.b), (dW, db))


def problem(size: int) -> tuple[Start, Gradient]:
    """Return weights of three layers of about `size` values, and how wrong an output is."""
    rng = np.random.default_rng(0)
    width = max(1, round(size**0.5))
    start = [(rng.standard_normal((width, width)) / width, np.zeros(width)) for _ in range(3)]

    def gradient(output: Array, t: int) -> Array:
        return (output - np.sin(t + np.arange(width))) / len(output)

    return start, gradient


def train(kind: Any, start: Start, gradient: Gradient, steps: int) -> list[Array]:
    layers = [kind(W, b) for W, b in start]
    inputs = np.random.default_rng(1).standard_normal((4, len(start[0][1])))
    for t in range(steps):
        x = inputs
        for layer in layers:
            x = layer.forward(x)
        delta = gradient(x, t)
        for layer in reversed(layers):
            delta = layer.backward(delta)
    return [array for layer in layers for array in (layer.W, layer.b)]


def by_hand(start: Start, gradient: Gradient, steps: int) -> list[Array]:
    return train(ByHand, start, gradient, steps)


def with_ferrostep(start: Start, gradient: Gradient, steps: int) -> list[Array]:
    return train(WithFerrostep, start, gradient, steps)
