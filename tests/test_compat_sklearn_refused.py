"""scikit-learn's estimators with our steps: what would mean nothing is said before it runs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

import ferrostep as fs  # noqa: E402
from ferrostep.compat import sklearn as ours  # noqa: E402
from ferrostep.compat.sklearn.solvers import OURS, sources  # noqa: E402
from ferrostep.compat.sklearn.theirs import TESTED, check_version  # noqa: E402
from ferrostep.presets.row import names_of  # noqa: E402
from support.programs import output  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.linspace(0, 1, 40).reshape(20, 2)
Y = X[:, 0].round()

OTHER: dict[str, Any] = {
    "momentum": 0.5,
    "nesterovs_momentum": False,
    "beta_1": 0.5,
    "beta_2": 0.5,
    "epsilon": 1e-3,
    "max_fun": 10,
}


REMEDIES = {
    "learning_rate_init": "; give it to the optimizer, solver=ferrostep.AdamW(lr=...)",
    "momentum": "; AdamW has no momentum",
    "beta_1": "; give it to the optimizer, solver=ferrostep.AdamW(betas=...)",
    "beta_2": "; give it to the optimizer, solver=ferrostep.AdamW(betas=...)",
    "epsilon": "; give it to the optimizer, solver=ferrostep.AdamW(eps=...)",
    "max_fun": "; it is for solver='lbfgs'",
}


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("name", OURS)
def test_arguments_of_other_solvers(name: str, kind: str) -> None:
    taken = {a for source in sources(OURS[name]).values() for a in names_of(source)}
    for argument, value in OTHER.items():
        model = getattr(ours, kind)(solver=name, max_iter=1, **{argument: value})
        if argument in taken:
            model.fit(X, Y)
            continue
        with pytest.raises(
            ValueError, match=f"^{argument} must be left at .* with solver='{name}'"
        ):
            model.fit(X, Y)
        assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("argument", [*OTHER, "learning_rate_init"])
def test_arguments_beside_an_instance(argument: str) -> None:
    model = ours.MLPRegressor(solver=fs.AdamW(lr=0.1), **{argument: OTHER.get(argument, 0.5)})
    with pytest.raises(ValueError, match=re.escape(f"{argument} must be left at")) as raised:
        model.partial_fit(X, Y)
    assert str(raised.value).endswith(REMEDIES.get(argument, "; AdamW has no nesterov"))


def test_solvers_that_are_none() -> None:
    for solver in ("adamm", "AdamW", None, fs.AdamW, 3):
        with pytest.raises(ValueError, match="'solver' parameter of MLPClassifier must be"):
            ours.MLPClassifier(solver=solver).fit(X, Y)


def test_an_optimizer_that_has_parameters() -> None:
    bound = fs.AdamW([np.ones(2), np.ones(3)], lr=0.25)
    with pytest.raises(ValueError, match=r"found one that has 2; make it .* AdamW\(lr=0\.25\)"):
        ours.MLPClassifier(solver=bound).fit(X, Y)


@pytest.mark.parametrize("solver", ["rprop", fs.Rprop()])
@pytest.mark.parametrize("schedule", ["invscaling", "adaptive"])
def test_rprop_has_no_rate(solver: Any, schedule: str) -> None:
    with pytest.raises(ValueError, match="learning_rate must be 'constant' with Rprop"):
        ours.MLPClassifier(solver=solver, learning_rate=schedule).fit(X, Y)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ({"solver": "adamw"}, {"solver": "rmsprop"}, "solver"),
        ({"solver": "adam"}, {"solver": "adamw"}, "solver"),
        ({"solver": "adamw"}, {"solver": "sgd"}, "solver"),
        ({"solver": "adamw"}, {"learning_rate_init": 0.1}, "lr"),
        ({"solver": "adamw"}, {"learning_rate": "invscaling"}, "learning_rate"),
        ({"solver": fs.Lion(lr=0.1)}, {"solver": fs.Lion(lr=0.2)}, "lr"),
    ],
    ids=str,
)
def test_partial_fit_with_other_options(before: Any, after: Any, name: str) -> None:
    """Which scikit-learn leaves unheeded."""
    model = ours.MLPRegressor(**before).partial_fit(X, Y)
    weights = [p.copy() for p in model.coefs_]
    model.set_params(**after)
    with pytest.raises(ValueError, match=f"^{name} must be .* as when the first partial_fit began"):
        model.partial_fit(X, Y)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.coefs_, strict=True))
    model.set_params(max_iter=1).fit(X, Y)
    model.partial_fit(X, Y)


def test_gradients_that_are_not_finite() -> None:
    model = ours.MLPRegressor(solver=fs.SGD(lr=1e200, nonfinite="raise"), max_iter=9)
    with np.errstate(all="ignore"), pytest.raises(fs.NonFiniteError):
        model.fit(X, Y)


def test_versions() -> None:
    for version in TESTED:
        check_version(f"{version}.3")
        check_version(f"{version}.dev0")
    for version in ("1.6.1", "1.99.0", "1.70.0", "2.7.0"):
        with pytest.raises(ImportError, match=f"found {version}; pip install"):
            check_version(version)


def test_without_scikit_learn() -> None:
    program = """
import sys
sys.modules["sklearn"] = None
import ferrostep.compat.sklearn
try:
    from ferrostep.compat.sklearn import MLPClassifier
except ImportError as error:
    print(error)
try:
    ferrostep.compat.sklearn.MLPClusterer
except AttributeError as error:
    print(error)
"""
    assert output(program) == [
        "this needs sklearn; pip install ferrostep[sklearn]",
        "module 'ferrostep.compat.sklearn' has no attribute 'MLPClusterer'",
    ]
