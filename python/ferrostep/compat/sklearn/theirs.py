"""What is used of scikit-learn that is no part of its public interface, and of which versions.

Beside the names here: `_fit`, `_fit_stochastic`, `_check_solver`, `_optimizer` and
`_parameter_constraints` of its estimators. Any of it may change with the next minor version.
"""

from __future__ import annotations

import sklearn

#: The minor versions whose own tests were run with ours in place.
TESTED = ("1.7", "1.8", "1.9")


def check_version(found: str) -> None:
    """Refuse a version that was not tested.

    Raises
    ------
    ImportError
        With the command that installs one that was.
    """
    if ".".join(found.split(".")[:2]) not in TESTED:
        raise ImportError(
            f"the version of scikit-learn must be one of {', '.join(TESTED)}, found {found}; "
            "pip install ferrostep[sklearn]"
        )


check_version(sklearn.__version__)

from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron  # noqa: E402
from sklearn.neural_network._stochastic_optimizers import (  # noqa: E402
    AdamOptimizer,
    BaseOptimizer,
    SGDOptimizer,
)
from sklearn.utils._param_validation import StrOptions  # noqa: E402

__all__ = [
    "TESTED",
    "AdamOptimizer",
    "BaseMultilayerPerceptron",
    "BaseOptimizer",
    "SGDOptimizer",
    "StrOptions",
    "check_version",
]
