"""scikit-learn's Adam, which its networks train with."""

from __future__ import annotations

import sklearn
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Array, Setting


class Adam:
    tolerance = 1e-5
    arrays = 7

    def version(self) -> str:
        return str(sklearn.__version__)

    def set_threads(self, n: int) -> None:
        """It is NumPy's arithmetic, on one thread."""

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer != "Adam" or problem.options or problem.max_norm is not None:
            raise NotOfferedError("scikit-learn has plain Adam and SGD")
        params = setting.params()
        optimizer = AdamOptimizer(params, learning_rate_init=1e-3)

        def step(grads: list[Array]) -> None:
            optimizer.update_params(params, grads)

        return Contender(step, setting.grads, lambda: params)
