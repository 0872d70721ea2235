"""scikit-learn: its multi-layer perceptrons, stepped by every optimizer of ferrostep.

    from ferrostep.compat.sklearn import MLPClassifier, MLPRegressor
    MLPClassifier(solver="adamw")                        # our classes in lower case
    MLPClassifier(solver=fs.AdamW(lr=1e-3, amsgrad=True))  # or one with its own options

They are subclasses of scikit-learn's. "adam", "sgd" and "lbfgs" are as there, to the bit; the first
two are stepped by our core where the data are float64.
"""

from typing import TYPE_CHECKING, Any

from ferrostep.compat.library import library

__all__ = ["MLPClassifier", "MLPRegressor"]

if TYPE_CHECKING:
    from ferrostep.compat.sklearn.estimators import MLPClassifier, MLPRegressor
else:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        library("sklearn")
        from ferrostep.compat.sklearn import estimators

        return getattr(estimators, name)


def __dir__() -> list[str]:
    return list(__all__)
