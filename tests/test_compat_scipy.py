"""Our classes as methods of `scipy.optimize.minimize`."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from scipy.optimize import (
    Bounds,
    LinearConstraint,
    OptimizeResult,
    basinhopping,
    dual_annealing,
    minimize,
    rosen,
    rosen_der,
)

import ferrostep as fs
from ferrostep.compat import scipy as compat
from ferrostep.compat.library import FITTING

CLASSES = {getattr(fs, name).__name__: getattr(fs, name) for name in FITTING}
X0 = np.array([1.3, 0.7, 0.8, 1.9, 1.2])


def bowl(x: Any, a: float = 2.0) -> float:
    return float((np.arange(1, len(x) + 1) * (x - a) ** 2).sum())


def slope(x: Any, a: float = 2.0) -> Any:
    return 2 * np.arange(1, len(x) + 1) * (x - a)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_makes_its_steps(name: str) -> None:
    cls, options = CLASSES[name], {"lr": 0.02, "weight_decay": 0.1}
    options = {k: v for k, v in options.items() if k in cls([X0]).defaults}
    found = minimize(
        bowl,
        X0,
        jac=slope,
        method=getattr(compat, name.lower()),
        options={**options, "maxiter": 7},
    )
    x = X0.copy()
    opt, points = cls([x], **options), [X0.copy()]
    for _ in range(7):
        opt.step([slope(x)])
        points.append(x.copy())
    best = min(points, key=bowl)
    assert (found.x == best).all()
    assert (found.fun, found.nit, found.nfev, found.njev) == (bowl(best), 7, 8, 8)
    assert (found.jac == slope(best)).all()
    assert (found.success, found.status) == (False, 1)
    assert found.message == "Maximum number of iterations has been exceeded."
    assert (X0 == [1.3, 0.7, 0.8, 1.9, 1.2]).all()


@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_rosenbrock(name: str) -> None:
    lr = {"adam": 0.01, "momentum": 2e-4}[name]
    options = {"lr": lr, "maxiter": 20_000}
    found = minimize(rosen, X0, jac=rosen_der, method=getattr(compat, name), options=options)
    assert found.success
    assert found.status == 0
    assert found.message == "Optimization terminated successfully."
    assert found.x == pytest.approx(np.ones(5), abs=1e-4)
    assert 5_000 < found.nit < 12_000
    assert np.abs(found.jac).max() <= 1e-4


OPTIONS: Any = {"lr": 0.05, "maxiter": 40}


class TestGradients:
    def test_of_all_kinds(self) -> None:
        def both(x: Any, a: float) -> Any:
            return bowl(x, a), slope(x, a)

        def run(fun: Any, jac: Any) -> OptimizeResult:
            return minimize(fun, X0, (1.5,), compat.adam, jac, options=OPTIONS)

        wanted = run(bowl, slope)
        assert (run(both, True).x == wanted.x).all()
        for jac in (None, False, "2-point"):
            found = run(bowl, jac)
            assert found.x == pytest.approx(wanted.x, abs=1e-6)
            assert (found.njev, found.nfev) == (41, 41 * 6)

    def test_differences_stay_within_bounds(self) -> None:
        seen = []

        def watched(x: Any) -> float:
            seen.append(x)
            return bowl(x)

        low, high = np.array([0.0, 3, 1, -np.inf]), np.array([1.0, np.inf, 1, 1 + 1e-12])
        found = minimize(watched, np.full(4, 9.0), method=compat.adam, bounds=Bounds(low, high),
                         options={"lr": 0.5, "maxiter": 200})  # fmt: skip
        assert all((low <= x).all() and (x <= high).all() for x in seen)
        assert found.success
        assert found.x == pytest.approx([1, 3, 1, 1])

    def test_what_they_return_is_checked(self) -> None:
        with pytest.raises(
            ValueError, match=r"jac must return 5 real numbers, found float64 of .*\(4,\)"
        ):
            minimize(bowl, X0, jac=lambda x: x[1:], method=compat.sgd)
        with pytest.raises(ValueError, match=r"fun must return one real number, found .*\(5,\)"):
            minimize(lambda x: x, X0, jac=slope, method=compat.sgd)

    @pytest.mark.parametrize("value", [None, "3", 1 + 2j])
    def test_numbers_are_real(self, value: Any) -> None:
        with pytest.raises(ValueError, match="fun must return one real number, found"):
            minimize(lambda x: value, X0, jac=slope, method=compat.sgd)
        with pytest.raises(ValueError, match="jac must return 5 real numbers, found"):
            minimize(bowl, X0, jac=lambda x: np.full(5, value), method=compat.sgd)

    def test_beside_large_parameters(self) -> None:
        """Nothing is left of such a gradient if it is taken from x."""

        def flat(x: Any) -> float:
            return float(((x / 1e12 - 3) ** 2).sum())

        found = minimize(
            flat, [1e12], jac=lambda x: 2e-12 * (x / 1e12 - 3), method=compat.adam,
            options={"lr": 1e10, "eps": 0.0, "gtol": 1e-20, "maxiter": 300},
        )  # fmt: skip
        assert found.nit > 100
        assert found.x == pytest.approx([3e12], rel=0.1)

    def test_a_function_may_change_what_it_is_given(self) -> None:
        def spoil(x: Any) -> Any:
            found = slope(x)
            x[:] = np.nan
            return found

        found = minimize(bowl, X0, jac=spoil, method=compat.adam, options=OPTIONS)
        wanted = minimize(bowl, X0, jac=slope, method=compat.adam, options=OPTIONS)
        assert (found.x == wanted.x).all()


class TestBounds:
    @pytest.mark.parametrize(
        "bounds", [[(None, 1), (0, None), (2.5, 3)], Bounds([-np.inf, 0, 2.5], [1, np.inf, 3])]
    )
    def test_each_iterate_is_projected(self, bounds: Any) -> None:
        seen: list[Any] = []
        found = minimize(bowl, [5, 5, 5], jac=slope, method=compat.adam, bounds=bounds,
                         callback=seen.append, options={"lr": 0.3, "maxiter": 500})  # fmt: skip
        assert found.success
        assert found.x == pytest.approx([1, 2, 2.5], abs=1e-5)
        assert all(x[0] <= 1 and x[1] >= 0 and 2.5 <= x[2] <= 3 for x in seen)
        assert len(seen) == found.nit

    def test_bad_ones(self) -> None:
        for bounds, match in [
            ([(0, 1)], r"one pair \(min, max\) for each of 2 values, found \[\(0, 1\)\]"),
            ([(0, 1), (0,)], r"one pair \(min, max\)"),
            ([(0, 1), (3, 2)], r"bounds must be min <= max, found 3.0 and 2.0 for value 1"),
            ([(0, 1), (np.nan, 2)], "min <= max, found nan"),
        ]:
            with pytest.raises(ValueError, match=match):
                minimize(bowl, np.ones(2), jac=slope, method=compat.adam, bounds=bounds)


class TestCallbacks:
    def run(self, callback: Any, maxiter: int = 5) -> OptimizeResult:
        options = {"lr": 0.1, "maxiter": maxiter}
        return minimize(bowl, X0, jac=slope, method=compat.adam, callback=callback, options=options)

    def test_in_both_signatures(self) -> None:
        results: list[OptimizeResult] = []
        points: list[Any] = []

        def told(*, intermediate_result: OptimizeResult) -> None:
            results.append(intermediate_result)

        self.run(told)
        self.run(points.append)
        self.run(lambda xk: points.append(xk))
        assert [r.fun for r in results] == [bowl(r.x) for r in results]
        assert np.array_equal(points, [r.x for r in results] * 2)
        assert len(results) == 5

    def test_stop_iteration(self) -> None:
        def stop(intermediate_result: OptimizeResult) -> None:
            if intermediate_result.fun < 5:
                raise StopIteration

        found = self.run(stop, 1000)
        assert (found.success, found.status) == (False, 99)
        assert found.message == "`callback` raised `StopIteration`."
        assert found.fun < 5
        assert found.nit < 100

    def test_other_errors_are_the_users(self) -> None:
        with pytest.raises(ZeroDivisionError):
            self.run(lambda x: 1 / 0)


def test_the_best_iterate_is_returned() -> None:
    values: list[float] = []
    found = minimize(
        bowl, X0, jac=slope, method=compat.lion, options={"lr": 0.9, "maxiter": 30},
        callback=lambda x: values.append(bowl(x)),
    )  # fmt: skip
    assert found.fun == min(values) < values[-1]
    assert found.fun == bowl(found.x)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_what_is_not_finite_ends_the_run(bad: float) -> None:
    calls = iter(range(100))
    found = minimize(
        lambda x: bad if next(calls) == 3 else bowl(x), X0, jac=slope, method=compat.adam
    )
    assert (found.success, found.status, found.message) == (False, 3, "NaN result encountered.")
    assert found.nit == 3
    found = minimize(bowl, X0, jac=lambda x: np.full(5, bad), method=compat.adam)
    assert (found.status, found.nit, found.fun) == (3, 0, bowl(X0))


def test_tolerances() -> None:
    def last(**given: Any) -> float:
        tol, options = given.pop("tol", None), {"lr": 0.1, **given}
        found = minimize(bowl, X0, jac=slope, method=compat.adam, tol=tol, options=options)
        assert found.success
        return float(np.abs(found.jac).max())

    assert 1e-5 < last(tol=0.1) <= 0.1
    assert 1e-3 < last(gtol=0.2) <= 0.2
    assert last(gtol=1e-8, tol=0.1) <= 1e-8
    assert last() <= 1e-5
    assert minimize(bowl, X0, jac=slope, method=compat.sgd, options={"maxiter": 0}).nit == 0
    assert minimize(bowl, X0, jac=slope, method=compat.sgd, options={"maxiter": None}).nit > 5


@pytest.mark.parametrize("jac", [None, slope])
def test_in_the_place_of_a_local_minimiser(jac: Any) -> None:
    local = {"method": compat.adam, "jac": jac, "options": {"lr": 0.1, "maxiter": 300}}
    found = basinhopping(bowl, np.zeros(3), minimizer_kwargs=local, niter=3, rng=1)
    assert found.x == pytest.approx([2] * 3, abs=1e-3)
    found = dual_annealing(bowl, [(-5, 5)] * 3, minimizer_kwargs=local, maxiter=20, rng=1)
    assert found.x == pytest.approx([2] * 3, abs=1e-3)


def test_misuse() -> None:
    for given, error, match in [
        ({"options": {"lrr": 1}}, TypeError, "no option 'lrr'; did you mean 'lr'.* it takes"),
        ({"options": {"maximize": True}}, TypeError, "no option 'maximize'; minimize the negative"),
        ({"options": {"nonfinite": "skip"}}, TypeError, "'nonfinite'; what is not finite ends"),
        ({"options": {"params": [1]}}, TypeError, "no option 'params'; the parameters are x0"),
        ({"options": {"maxiter": 1.5}}, TypeError, "maxiter must be a whole number, found 1.5"),
        ({"options": {"maxiter": -1}}, ValueError, "maxiter must be >= 0, found -1"),
        ({"options": {"gtol": np.nan}}, ValueError, "gtol must be a finite number >= 0"),
        ({"tol": -1}, ValueError, "tol must be a finite number >= 0"),
        ({"options": {"lr": -1}}, ValueError, "lr must be a finite number >= 0"),
        ({"constraints": LinearConstraint(np.eye(5))}, ValueError, "must be empty.*trust-constr"),
        ({"constraints": {"type": "eq", "fun": bowl}}, ValueError, "must be empty.*SLSQP"),
        ({"x0": X0 + 1j}, ValueError, r"x0 must be .*found shape \(5,\) of complex128"),
    ]:
        given = {"x0": X0, **given}
        with pytest.raises(error, match=match):
            minimize(bowl, jac=slope, method=compat.adam, **given)
    with pytest.raises(ValueError, match="'2-point', found '3-point'"):
        compat.adam(bowl, X0, jac="3-point")
    with pytest.warns(RuntimeWarning, match="does not use hess"):
        minimize(bowl, X0, jac=slope, hess=lambda x: 1, method=compat.adam, tol=1e9)
    with pytest.raises(AttributeError, match="no attribute 'nadamm'"):
        _ = compat.nadamm


def test_methods_are_named_and_copied_as_functions(capsys: pytest.CaptureFixture[str]) -> None:
    assert compat.adam.__name__ == "adam"
    assert repr(compat.adam) == "ferrostep.compat.scipy.adam"
    assert pickle.loads(pickle.dumps(compat.adam)) is compat.adam
    assert copy.deepcopy(compat.adam) is compat.adam
    assert set(dir(compat)) == set(compat.__all__)
    minimize(bowl, X0, jac=slope, method=compat.adam, options={"maxiter": 3, "disp": True})
    assert "Maximum number of iterations has been exceeded.\n  fun 11.3" in capsys.readouterr().out


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"this needs scipy; pip install ferrostep\[scipy\]"):
        _ = compat.adam
