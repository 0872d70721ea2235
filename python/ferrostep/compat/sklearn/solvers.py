"""What `solver` and the arguments beside it mean: the one place that knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from inspect import signature
from typing import Any

import numpy as np
from sklearn import neural_network

from ferrostep import optimizers
from ferrostep.compat.library import FITTING
from ferrostep.compat.sklearn import theirs
from ferrostep.compat.sklearn.steppers import AdamOptimizer, SGDOptimizer, Stepper
from ferrostep.optimizer import Optimizer
from ferrostep.presets.row import Source, names_of
from ferrostep.presets.sklearn import SKLEARN

#: What scikit-learn means by a name, it means here.
THEIRS = ("lbfgs", "sgd", "adam")
OURS: dict[str, type[Optimizer]] = {
    name.lower(): getattr(optimizers, name) for name in FITTING if name.lower() not in THEIRS
}

DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(neural_network.MLPClassifier).parameters.items()
}
#: The arguments of a rule, by our options.
ARGUMENTS: Mapping[str, Source] = {
    **SKLEARN.named,
    "momentum": "momentum",
    "nesterov": "nesterovs_momentum",
}
#: What scikit-learn's rules are made with, in their order.
_RULES = {
    "adam": ("learning_rate_init", "beta_1", "beta_2", "epsilon"),
    "sgd": ("learning_rate_init", "learning_rate", "momentum", "nesterovs_momentum", "power_t"),
}


def sources(cls: type[Optimizer]) -> dict[str, Source]:
    """Return which options of a class that is asked for by name come from which arguments.

    The rate always does. Any other does where the class has the argument's default: if nobody said
    anything, a class has its own defaults, and no argument says what is not so.
    """
    own = cls._schema().defaults

    def same(ours: str, source: Source) -> bool:
        told = tuple(DEFAULTS[name] for name in names_of(source))
        return own.get(ours) == (told if isinstance(source, tuple) else told[0])

    found = {o: s for o, s in ARGUMENTS.items() if o == "lr" or (o in own and same(o, s))}
    if "momentum" in found and "nesterov" in own:  # it is the form of that momentum
        found["nesterov"] = ARGUMENTS["nesterov"]
    return found


def stepper_of(estimator: Any) -> Stepper | None:
    """Return what steps for an estimator; None where it is one of scikit-learn's own.

    Raises
    ------
    ValueError
        If an argument would mean nothing, or the optimizer has parameters already.
    """
    solver = estimator.solver
    if is_theirs(solver):
        return None
    if isinstance(solver, Optimizer):
        ours, taken = _begun_anew(solver), dict[str, Source]()
    else:
        cls = OURS[solver]
        taken = sources(cls)
        ours = cls(**{o: _value(estimator, source) for o, source in taken.items()})
    _refuse(estimator, ours, {name for source in taken.values() for name in names_of(source)})
    return Stepper(ours, estimator.learning_rate, estimator.power_t)


def their_own(estimator: Any, solver: str, params: list[Any]) -> Any:
    """Return what steps for "sgd" or "adam": ours where it has the same bits, else scikit-learn's.

    In float32 theirs computes Adam's step in float64, as its rate is a NumPy scalar; and what is
    computed of other NumPy scalars among the arguments has their precision.
    """
    names = _RULES[solver]
    given = [getattr(estimator, name) for name in names]
    plain = all(isinstance(value, str | int | float) for value in given)  # np.float64 is a float
    same = plain and all(array.dtype == np.float64 for array in params)
    if solver == "adam":
        return (AdamOptimizer if same else theirs.AdamOptimizer)(params, *given)
    return (SGDOptimizer if same else theirs.SGDOptimizer)(params, *given)


def is_theirs(solver: Any) -> bool:
    return isinstance(solver, str) and solver in THEIRS


def _begun_anew(solver: Optimizer) -> Optimizer:
    """Return a copy of the user's optimizer that has seen nothing."""
    if solver._bound:
        raise ValueError(
            f"solver must be an optimizer without parameters, found one that has "
            f"{len(solver._parameters())}; make it with its options alone, as in "
            f"{type(solver).__name__}(lr={solver.param_groups[0]['lr']!r})"
        )
    ours = copy(solver)
    ours.reset()
    return ours


def _value(estimator: Any, source: Source) -> Any:
    values = tuple(getattr(estimator, name) for name in names_of(source))
    return values if isinstance(source, tuple) else values[0]


def _refuse(estimator: Any, ours: Optimizer, taken: set[str]) -> None:
    """Refuse what would mean nothing with this optimizer."""
    solver, name = estimator.solver, type(ours).__name__
    shown = repr(solver) if isinstance(solver, str) else f"{name}(...)"
    for argument, remedy in _remedies(ours):
        value, default = getattr(estimator, argument), DEFAULTS[argument]
        if argument not in taken and value != default:
            raise ValueError(
                f"{argument} must be left at {default!r} with solver={shown}, found {value!r}; "
                f"{remedy}"
            )
    if isinstance(ours, optimizers.Rprop) and estimator.learning_rate != "constant":
        raise ValueError(
            f"learning_rate must be 'constant' with {name}, found {estimator.learning_rate!r}; "
            "its rate is the first step size alone"
        )


def _remedies(ours: Optimizer) -> Iterator[tuple[str, str]]:
    """Yield the arguments that may mean nothing, and what to do in their place."""
    name, fields = type(ours).__name__, ours._schema().fields
    for option, source in ARGUMENTS.items():
        remedy = f"give it to the optimizer, solver=ferrostep.{name}({option}=...)"
        if option not in fields:
            remedy = f"{name} has no {option}"
        yield from ((argument, remedy) for argument in names_of(source))
    yield "max_fun", "it is for solver='lbfgs'"
