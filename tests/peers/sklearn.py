"""scikit-learn: its tests of multi-layer perceptrons and of what they step with."""

from __future__ import annotations

from pathlib import Path

import sklearn.neural_network

from peers.suite import Suite

_TESTS = Path(sklearn.neural_network.__path__[0], "tests")
_MLP = str(_TESTS / "test_mlp.py")
_OPTIMIZERS = str(_TESTS / "test_stochastic_optimizers.py")

SUITES = (
    Suite("scikit-learn, optimizers", (_MLP, _OPTIMIZERS), "peers.sklearn_optimizers"),
    Suite("scikit-learn, estimators", (_MLP,), "peers.sklearn_estimators"),
)
