"""scikit-learn's estimators with more solvers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sklearn import neural_network

from ferrostep.compat.sklearn import theirs
from ferrostep.compat.sklearn.solvers import (
    OURS,
    THEIRS,
    is_theirs,
    sources,
    stepper_of,
    their_own,
)
from ferrostep.compat.sklearn.steppers import THEIR_OWN, Stepper
from ferrostep.optimizer import Optimizer

_DOC = """scikit-learn's {name}, with every optimizer of ferrostep as a solver.

Parameters
----------
solver
    "adam" (default), "sgd", "lbfgs": as in scikit-learn, to the bit. {ours}: our classes, with
    their own defaults. Or an optimizer of ferrostep without parameters, with the options that you
    gave it, whose copy is used: ``solver=ferrostep.AdamW(lr=0.01)``.
learning_rate_init
    The rate of a solver that is a name; default 0.001, whatever the class's own is (`Adadelta`'s is
    1.0).
learning_rate, power_t
    Schedules of the rate, for all of ours but `Rprop`.
momentum, nesterovs_momentum
    Of "sgd" and "momentum".
beta_1, beta_2, epsilon
    Of "adam" and of those of ours that have the same defaults: {adams}; `epsilon` of {eps} too.
alpha
    L2 regularisation in the loss and the gradient, as in scikit-learn, with every solver. The
    weight decay of an optimizer comes beside it, and is for the intercepts too.
hidden_layer_sizes, ...
    As those of scikit-learn's class.

Raises
------
ValueError
    By `fit` and `partial_fit`, beside scikit-learn's own: if one of these arguments would mean
    nothing with the solver; if `partial_fit` goes on with another optimizer of ours, or other
    options, than it began with.

Examples
--------
>>> import numpy as np, ferrostep as fs
>>> from ferrostep.compat.sklearn import {name}
>>> X = np.linspace(0, 1, 40).reshape(20, 2)
>>> y = X[:, 0].round()
>>> model = {name}(solver=fs.AdamW(lr=0.01), max_iter=500, random_state=0).fit(X, y)
>>> bool(model.loss_ < 0.2 * model.loss_curve_[0])
True
"""


def _doc(name: str) -> str:
    def having(*options: str) -> str:
        return _listed(o for o, cls in OURS.items() if sources(cls).keys() >= {*options})

    return _DOC.format(
        name=name, ours=_listed(OURS), adams=having("betas", "eps"), eps=having("eps")
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class _Solvers(theirs.BaseMultilayerPerceptron):
    """What both estimators have beside scikit-learn's."""

    solver: Any
    _optimizer: Any
    #: While they fit: what makes an optimizer for the weights.
    _begin: Callable[[list[Any]], Any]

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, incremental: bool = False) -> Any:
        fit = partial(super()._fit, X, y, sample_weight=sample_weight, incremental=incremental)
        solver = self.solver
        if is_theirs(solver) and solver == "lbfgs":
            return fit()
        stepper = stepper_of(self)
        if incremental and hasattr(self, "_optimizer"):
            _check_same(self._optimizer, stepper)
        self._begin = lambda params: stepper or their_own(self, solver, params)
        self.solver = "sgd"  # scikit-learn takes mini-batches for those that it knows
        try:
            return fit()
        finally:
            self.solver = solver
            del self._begin

    def _fit_stochastic(self, *args: Any) -> None:
        *_, incremental = args
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = self._begin(self.coefs_ + self.intercepts_)
        self.solver = "begun"  # and makes an optimizer for them
        super()._fit_stochastic(*args)

    def _check_solver(self) -> Any:
        return not is_theirs(self.solver) or super()._check_solver()


def _check_same(running: Any, asked: Stepper | None) -> None:
    """Refuse to go on with an optimizer that is not what the arguments say."""
    before = getattr(running, "made_of", THEIR_OWN)
    now = THEIR_OWN if asked is None else asked.made_of
    for name in now:
        if now[name] != before.get(name):
            raise ValueError(
                f"{name} must be {before.get(name)!r} as when the first partial_fit began, found "
                f"{now[name]!r}; call fit() to begin anew"
            )


def _constraints(cls: Any) -> dict[str, Any]:
    solvers = [theirs.StrOptions({*THEIRS, *OURS}), Optimizer]
    return {**cls._parameter_constraints, "solver": solvers}


class MLPClassifier(_Solvers, neural_network.MLPClassifier):
    __doc__ = _doc("MLPClassifier")
    _parameter_constraints = _constraints(neural_network.MLPClassifier)


class MLPRegressor(_Solvers, neural_network.MLPRegressor):
    __doc__ = _doc("MLPRegressor")
    _parameter_constraints = _constraints(neural_network.MLPRegressor)
