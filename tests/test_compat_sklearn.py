"""scikit-learn's estimators with our steps: its bits, and our classes beside their formulas."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from scipy.sparse import csr_array  # noqa: E402
from sklearn import neural_network as theirs  # noqa: E402

import ferrostep as fs  # noqa: E402
from ferrostep.compat import sklearn as ours  # noqa: E402
from ferrostep.compat.sklearn.solvers import OURS, sources  # noqa: E402
from ferrostep.compat.sklearn.steppers import AdamOptimizer, SGDOptimizer, Stepper  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = ["MLPClassifier", "MLPRegressor"]
rng = np.random.default_rng(3)
X = rng.standard_normal((61, 5))
Y = (X[:, 0] + 0.3 * rng.standard_normal(61) > 0).astype(int) + (X[:, 1] > 1)
#: An odd number of rows, batches that do not divide them, layers of one unit and of none.
PLAIN: dict[str, Any] = {
    "hidden_layer_sizes": (7, 1, 3),
    "batch_size": 13,
    "max_iter": 6,
    "random_state": 0,
    "learning_rate_init": 0.02,
}


def fitted(model: Any, *more: Any, **options: Any) -> Any:
    return model.fit(X, Y, *more, **options)


def weights(model: Any) -> list[np.ndarray]:
    return [*model.coefs_, *model.intercepts_]


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(weights(one), weights(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert one.loss_curve_ == other.loss_curve_
    assert one._optimizer.learning_rate == other._optimizer.learning_rate


def both(kind: str, **options: Any) -> tuple[Any, Any]:
    return getattr(theirs, kind)(**options), getattr(ours, kind)(**options)


# "sgd" and "adam": scikit-learn's bits.

OPTIONS: list[dict[str, Any]] = [
    {"solver": "adam"},
    {"solver": "adam", "beta_1": 0.0, "beta_2": 0.5, "epsilon": 1e-3, "alpha": 0.0},
    {"solver": "adam", "beta_1": np.float64(0.8), "learning_rate_init": 1, "activation": "tanh"},
    {"solver": "adam", "beta_2": np.float32(0.99)},
    {"solver": "adam", "max_iter": 30, "batch_size": 7},  # 270 steps
    {"solver": "adam", "early_stopping": True, "validation_fraction": 0.3, "tol": 1.0},
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False, "alpha": 0.1, "hidden_layer_sizes": ()},
    {"solver": "sgd", "momentum": 0, "shuffle": False},
    {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 1e-3},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    {"solver": "sgd", "early_stopping": True, "n_iter_no_change": 2, "max_iter": 30},
    {"solver": "lbfgs"},
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scikit_learns_bits(kind: str, dtype: str, options: dict[str, Any]) -> None:
    one, other = both(kind, **{**PLAIN, **options})
    for model in (one, other):
        model.fit(X.astype(dtype), Y)
    for a, b in zip(weights(one), weights(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    if options["solver"] != "lbfgs":
        assert_same(one, other)
        # Elsewhere scikit-learn's own code runs: in float32 it computes Adam's step in float64.
        narrow = dtype == "float32" or any(isinstance(x, np.float32) for x in options.values())
        assert isinstance(other._optimizer, Stepper) != narrow
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_scikit_learns_bits_with_other_data(solver: str) -> None:
    sparse, labels, weight = csr_array(np.round(X)), np.eye(3)[Y], rng.uniform(size=61)
    for kind in KINDS:
        pair = both(kind, **{**PLAIN, "solver": solver})
        assert_same(*(model.fit(sparse, Y) for model in pair))
        assert_same(*(model.fit(X, labels) for model in pair))
        if kind == "MLPRegressor":
            assert_same(*(model.set_params(loss="poisson").fit(X, Y) for model in pair))
        assert_same(*(model.fit(X, Y, weight) for model in pair))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_scikit_learns_bits_in_parts(kind: str, solver: str) -> None:
    """`partial_fit` goes on; a warm start begins the optimizer anew, from the weights that are."""
    first = {} if kind == "MLPRegressor" else {"classes": [0, 1, 2]}
    pair = both(kind, **{**PLAIN, "solver": solver})
    for model in pair:
        model.partial_fit(X, Y, **first)
        for rows in (slice(0, 20), slice(20, 61)):
            model.partial_fit(X[rows], Y[rows])
    assert_same(*pair)
    pair = both(kind, **{**PLAIN, "solver": solver, "warm_start": True})
    assert_same(*(fitted(fitted(model)).partial_fit(X, Y) for model in pair))


def test_the_optimizers_themselves() -> None:
    """Their interface: state as lists that may be set, and other arrays in the next call."""
    from sklearn.neural_network import _stochastic_optimizers as private

    shapes = [(4, 3), (1,), (2, 0)]
    for mine, other, names in (
        (AdamOptimizer, private.AdamOptimizer, ("ms", "vs")),
        (SGDOptimizer, private.SGDOptimizer, ("velocities",)),
    ):
        params = [[rng.standard_normal(s) for s in shapes]] * 2
        params[1] = [p.copy() for p in params[0]]
        pair = mine(params[0], 0.1), other(params[1], 0.1)
        for step in range(6):
            grads = [rng.standard_normal(s) for s in shapes]
            state = [rng.uniform(size=s) for s in shapes]
            for optimizer, arrays in zip(pair, params, strict=True):
                if step == 2:
                    setattr(optimizer, names[0], [s.copy() for s in state])
                if step == 4:
                    arrays[:] = [p + 1 for p in arrays]
                optimizer.update_params([*arrays], grads)
            for a, b in zip(*params, strict=True):
                np.testing.assert_array_equal(a, b)
            for name in names:
                for a, b in zip(*(getattr(each, name) for each in pair), strict=True):
                    np.testing.assert_array_equal(a, b)


# Our own solvers.


class ByHand:
    """What scikit-learn's estimator steps with in the test: our formulas in NumPy, one by one."""

    learning_rate = 0.02

    def __init__(self, cls: type[fs.Optimizer], **options: Any) -> None:
        self.make, self.opt = lambda params: cls(params, backend="reference", **options), None

    def update_params(self, params: list[Any], grads: list[Any]) -> None:
        self.opt = self.opt or self.make(params)
        self.opt.lr = self.learning_rate
        self.opt.step(grads)

    def iteration_ends(self, time_step: int) -> None:
        self.learning_rate = 0.02 / (time_step + 1) ** 0.5

    def trigger_stopping(self, msg: str, verbose: bool) -> bool:
        return True


@pytest.mark.parametrize("given", [False, True], ids=["by name", "an instance"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OURS)
def test_every_class(name: str, dtype: str, given: bool) -> None:
    cls, own = OURS[name], {"nesterov": True} if name in ("momentum", "lars") and not given else {}
    schedule = {} if name == "rprop" else {"learning_rate": "invscaling"}
    options = {**PLAIN, **schedule, "solver": name}
    if given:
        own = {"weight_decay": 0.1}
        options |= {"solver": cls(lr=0.02, **own), "learning_rate_init": 1e-3}
    model = ours.MLPRegressor(**options)
    other = theirs.MLPRegressor(**{**PLAIN, "solver": "sgd"})
    other._optimizer = ByHand(cls, lr=0.02, **own)
    if not schedule:
        other._optimizer.iteration_ends = lambda time_step: None
    for _ in range(4):
        for each in (model, other):
            each.partial_fit(X.astype(dtype), Y)
    assert_same(model, other)
    assert weights(model)[0].dtype == dtype
    assert model.solver is options["solver"]  # not what it was shown as


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [o for o in OPTIONS if o["solver"] == "sgd"], ids=str)
def test_momentum_is_their_sgd(kind: str, options: dict[str, Any]) -> None:
    one, other = both(kind, **{**PLAIN, **options})
    assert_same(fitted(one), fitted(other.set_params(solver="momentum")))


def test_which_arguments_a_name_takes() -> None:
    rate, eps = {"lr": "learning_rate_init"}, {"eps": "epsilon"}
    adam = {**rate, "betas": ("beta_1", "beta_2"), **eps}
    told = {
        **dict.fromkeys(("adadelta", "adagrad", "adaptivegains", "lion", "rprop"), rate),
        "adamw": adam,
        "momentum": {**rate, "momentum": "momentum", "nesterov": "nesterovs_momentum"},
        "rmsprop": {**rate, **eps},
    }
    assert {name: sources(OURS[name]) for name in told} == told
    model = ours.MLPClassifier(solver="adamw", beta_1=0.5, epsilon=1e-3, max_iter=1)
    assert fitted(model)._optimizer.ours.betas == (0.5, 0.999)
    assert model._optimizer.ours.eps == 1e-3


@pytest.mark.parametrize("solver", ["adamw", "lion", fs.RMSprop(lr=1e-2)])
def test_adaptive_rates(solver: Any, capsys: pytest.CaptureFixture[str]) -> None:
    options = {**PLAIN, "solver": solver, "learning_rate": "adaptive", "tol": 10.0, "max_iter": 300}
    if not isinstance(solver, str):
        del options["learning_rate_init"]
    model = fitted(ours.MLPClassifier(**options, n_iter_no_change=1, verbose=True))
    first = 0.02 if isinstance(solver, str) else 1e-2
    assert f"Setting learning rate to {first / 5:f}" in capsys.readouterr().out
    assert model._optimizer.ours.lr == model._optimizer.learning_rate <= 1e-6
    assert model.n_iter_ < 300


def test_nothing_is_left_on_after_a_fault() -> None:
    class Stop(Exception):
        pass

    class Halting(fs.Adam):
        def update(self, *args: Any, **options: Any) -> Any:
            raise Stop

    model = ours.MLPRegressor(solver=Halting())
    solver = model.solver
    with pytest.raises(Stop):
        fitted(model)
    assert model.solver is solver
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted(model.set_params(solver="adamw", max_iter=2))
