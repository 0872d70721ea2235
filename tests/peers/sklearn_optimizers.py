"""A plugin of pytest: our optimizers where scikit-learn's own estimators take theirs.

Its test of Adam goes up to ``beta_2=1.0``, which its estimators refuse, as our Adam does: that one
is left to it.
"""

from __future__ import annotations

from typing import Any

from sklearn.neural_network import _multilayer_perceptron, _stochastic_optimizers

from ferrostep.compat.sklearn.steppers import AdamOptimizer, SGDOptimizer

_THEIRS = _stochastic_optimizers.AdamOptimizer


def _adam(params: list[Any], rate: float, beta_1: float, beta_2: float, epsilon: float) -> Any:
    adam = AdamOptimizer if max(beta_1, beta_2) < 1 else _THEIRS
    return adam(params, rate, beta_1, beta_2, epsilon)


for module in (_stochastic_optimizers, _multilayer_perceptron):
    module.AdamOptimizer, module.SGDOptimizer = _adam, SGDOptimizer
