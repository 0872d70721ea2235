"""scikit-learn's estimators with our steps: cloned, searched, pickled, resumed, checked."""

from __future__ import annotations

import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

import joblib  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

import ferrostep as fs  # noqa: E402
from ferrostep.compat.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(5)
X = rng.standard_normal((40, 4))
Y = (X[:, 0] > 0).astype(int)
SOLVERS = ["adam", "sgd", "adamw", "rmsprop", "momentum"]


def solvers() -> list[Any]:
    return [*SOLVERS, fs.RMSprop(lr=1e-3, centered=True)]


def model(solver: Any, **options: Any) -> Any:
    return MLPRegressor(
        hidden_layer_sizes=(6,), solver=solver, random_state=0, max_iter=3, **options
    )


def assert_same(one: Any, other: Any) -> None:
    pairs = zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("solver", solvers(), ids=str)
def test_a_run_goes_on_from_a_copy(solver: Any, tmp_path: Path) -> None:
    """With the bits of the run that was not interrupted; each copy has arrays of its own."""
    whole = model(solver)
    for _ in range(5):
        whole.partial_fit(X, Y)
    begun = model(solver)
    for _ in range(2):
        begun.partial_fit(X, Y)
    joblib.dump(begun, tmp_path / "model")
    others = [pickle.loads(pickle.dumps(begun)), deepcopy(begun), joblib.load(tmp_path / "model")]
    for other in [*others, begun]:
        for _ in range(3):
            other.partial_fit(X, Y)
        assert_same(other, whole)


@pytest.mark.parametrize("solver", solvers(), ids=str)
def test_read_only_weights(solver: Any, tmp_path: Path) -> None:
    """Of a file that is mapped: they predict, are no longer trained, and are fitted anew."""
    begun = model(solver).partial_fit(X, Y)
    joblib.dump(begun, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict(X), begun.predict(X))
    with pytest.raises(ValueError, match="read-only"):
        mapped.partial_fit(X, Y)
    mapped.coefs_ = [p.copy() for p in mapped.coefs_]
    mapped.intercepts_ = [p.copy() for p in mapped.intercepts_]
    assert_same(mapped.partial_fit(X, Y), begun.partial_fit(X, Y))
    assert_same(joblib.load(tmp_path / "model", mmap_mode="r").fit(X, Y), model(solver).fit(X, Y))


@pytest.mark.parametrize("solver", solvers(), ids=str)
def test_weights_that_were_set(solver: Any) -> None:
    one, other = (model(solver).partial_fit(X, Y) for _ in range(2))
    one.coefs_ = [2 * p for p in one.coefs_]
    for p in other.coefs_:
        p *= 2
    assert_same(one.partial_fit(X, Y), other.partial_fit(X, Y))


def test_a_clone_carries_nothing_over() -> None:
    used = fs.AdamW(lr=0.1, weight_decay=0.2)
    p = np.ones(3)
    used.update([p], [np.ones(3)])
    fresh = model(fs.AdamW(lr=0.1, weight_decay=0.2)).fit(X, Y)
    first = model(used).fit(X, Y)
    again = clone(first).fit(X, Y)
    for each in (first, again, first.fit(X, Y)):
        assert_same(each, fresh)
    assert len(used.state) == 1  # the user's own is not touched
    assert first.get_params()["solver"] is used
    assert again.solver is not used
    used.lr = 0.2  # which later fits take
    assert not np.array_equal(first.fit(X, Y).coefs_[0], fresh.coefs_[0])


def test_an_option_that_was_set_is_in_the_copy() -> None:
    late = fs.AdamW(lr=0.1)
    late.lr, late.weight_decay = 0.3, 0.0
    assert_same(model(late).fit(X, Y), model(fs.AdamW(lr=0.3, weight_decay=0.0)).fit(X, Y))


def test_a_search_over_solvers() -> None:
    grid = [
        {"solver": [*SOLVERS, "lbfgs"], "learning_rate_init": [1e-2, 1e-1]},
        {"solver": [fs.AdamW(lr=1e-2), fs.AdamW(lr=1e-1), fs.Lion(lr=1e-3)]},
    ]
    search = GridSearchCV(MLPClassifier((5,), random_state=0, max_iter=4), grid, cv=2, n_jobs=1)
    search.fit(X, Y)
    found = search.cv_results_["mean_test_score"]
    assert len(found) == 15
    assert np.isfinite(found).all()
    by_name = dict(zip(map(str, search.cv_results_["params"]), found, strict=True))
    assert len(by_name) == 15


def test_in_a_pipeline() -> None:
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(solver="adamw", max_iter=100))
    pipeline.set_params(mlpclassifier__solver=fs.AdamW(lr=0.05), mlpclassifier__random_state=0)
    assert pipeline.fit(X, Y).score(X, Y) > 0.9
    assert "AdamW" in repr(pipeline)


def test_what_has_partial_fit() -> None:
    for solver in [*SOLVERS, fs.Adam()]:
        assert hasattr(MLPClassifier(solver=solver), "partial_fit")
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")


def test_early_stopping_returns_the_best_weights() -> None:
    stopped = model(fs.RMSprop(lr=0.3), early_stopping=True, n_iter_no_change=2)
    stopped.set_params(max_iter=50).fit(X, Y)
    assert max(stopped.validation_scores_) == stopped.best_validation_score_
    assert stopped.coefs_ is stopped._best_coefs
    with pytest.raises(ValueError, match="early_stopping"):
        stopped.partial_fit(X, Y)


#: Nor with scikit-learn's "sgd": mini-batches are of rows, whatever these weigh.
EQUIVALENCE = "check_sample_weight_equivalence_on_{}_data"
MINI_BATCHES = EQUIVALENCE.format("dense"), EQUIVALENCE.format("sparse")


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_common_checks(kind: type) -> None:
    estimator = kind(hidden_layer_sizes=(3,), solver=fs.AdamW(lr=0.05), max_iter=25, batch_size=20)
    check_estimator(estimator, expected_failed_checks=dict.fromkeys(MINI_BATCHES, "mini-batches"))
