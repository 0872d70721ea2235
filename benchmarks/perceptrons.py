"""scikit-learn's perceptrons with its own steps and with ours: `python -m benchmarks.perceptrons`.

Processor time, the least of interleaved runs: other work on the machine counts least there. Set
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import sklearn
from sklearn import neural_network
from sklearn.datasets import load_digits

from ferrostep.compat import sklearn as ours
from ferrostep.compat.sklearn import steppers, theirs

LAYERS = {(16,): 16, (100,): 200, (500, 500): 200}  # with the rows of a mini-batch


def least(works: list[Callable[[], object]], times: int) -> list[float]:
    """Return the seconds of each."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for seconds, work in zip(found, works, strict=True):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
    return [min(seconds) for seconds in found]


def steps(layers: tuple[int, ...], solver: str) -> list[float]:
    """Return the seconds of one step, of a network for the digits."""
    units = [64, *layers, 10]
    shapes = [*pairwise(units), *((n,) for n in units[1:])]
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(shape) for shape in shapes]
    name = {"adam": "AdamOptimizer", "sgd": "SGDOptimizer"}[solver]

    def ten(module: Any) -> Callable[[], None]:
        params = [rng.standard_normal(shape) for shape in shapes]
        optimizer = getattr(module, name)(params)

        def run() -> None:
            for _ in range(10):
                optimizer.update_params(params, grads)

        return run

    return [seconds / 10 for seconds in least([ten(theirs), ten(steppers)], 60)]


def fits(layers: tuple[int, ...], solver: str) -> list[float]:
    """Return the seconds of two epochs of the digits."""
    x, y = load_digits(return_X_y=True)
    options = {"solver": solver, "batch_size": LAYERS[layers], "max_iter": 2, "random_state": 0}
    models = [library.MLPClassifier(layers, **options) for library in (neural_network, ours)]
    return least([partial(model.fit, x / 16, y) for model in models], 25)


def main() -> None:
    warnings.simplefilter("ignore")
    print(f"scikit-learn {sklearn.__version__}, load {os.getloadavg()[0]:.1f}")
    for layers in LAYERS:
        for solver in ("adam", "sgd"):
            told = [
                f"{name}: {1e6 * a:,.0f} us, ours {1e6 * b:,.0f} ({a / b:.2f}x)"
                for name, (a, b) in (("step", steps(layers, solver)), ("fit", fits(layers, solver)))
            ]
            print(f"{solver} {layers}:", *told)


if __name__ == "__main__":
    main()
