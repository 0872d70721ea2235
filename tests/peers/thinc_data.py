"""Data of the form of `ml_datasets`, which loads its own from the network.

Scikit-learn's digits, drawn in 28 x 28, stand for MNIST; made-up words whose ends tell their tags
for the tagged sentences.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def mnist() -> Any:
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(digits.target))
    drawn = np.repeat(np.repeat(digits.images / 16, 3, axis=1), 3, axis=2)
    X = np.pad(drawn, ((0, 0), (2, 2), (2, 2))).reshape(len(order), -1)[order].astype(np.float32)
    Y = np.eye(10, dtype=np.float32)[digits.target[order]]
    train, dev = slice(None, 1500), slice(1500, None)
    return (np.tile(X[train], (3, 1)), np.tile(Y[train], (3, 1))), (X[dev], Y[dev])


def ud_ancora_pos_tags() -> Any:
    rng = np.random.default_rng(0)
    words = [f"word{i}{chr(97 + i % 17)}" for i in range(170)]

    def sentences(count: int) -> tuple[list[Any], list[Any]]:
        drawn = [rng.integers(0, len(words), rng.integers(3, 12)) for _ in range(count)]
        tags = [np.eye(17, dtype=np.float32)[numbers % 17] for numbers in drawn]
        return [[words[i] for i in numbers] for numbers in drawn], tags

    return sentences(400), sentences(50)
