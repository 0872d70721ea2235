"""What bad input gets: each row of the table is an error that says which, found and wanted, and
nothing has been written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CLASSES

F32 = np.float32


def two() -> list[Any]:
    return [np.ones((2, 3), F32), np.ones(4, F32)]


BAD_GRADIENTS: list[tuple[str, Callable[[list[Any]], Any], type[Exception], str]] = [
    ("count", lambda p: [p[0] * 1], ValueError, "found 1 gradients, wanted 2: .*; None in place"),
    ("dict for a list", lambda p: {"a": p[0] * 1}, ValueError, "have no names, found dict"),
    (
        "a number",
        lambda p: 1.0,
        TypeError,
        "parameter 0 must be a NumPy or CuPy array, found float",
    ),
    ("shape", lambda p: [p[0] * 1, np.ones(5, F32)], ValueError, r"parameter 1 .*\(5,\).*\(4,\)"),
    ("broadcast", lambda p: [p[0] * 1, np.ones(1, F32)], ValueError, r"parameter 1 .*\(1,\)"),
    ("integer", lambda p: [p[0] * 1, np.ones(4, int)], TypeError, "parameter 1 .* int64"),
    ("bool", lambda p: [p[0] * 1, np.ones(4, bool)], TypeError, "parameter 1 .* bool"),
    ("complex", lambda p: [p[0] * 1, np.ones(4, complex)], TypeError, "complex128"),
    ("longdouble", lambda p: [p[0] * 1, np.ones(4, np.longdouble)], TypeError, "float32"),
    ("object", lambda p: [p[0] * 1, np.ones(4, object)], TypeError, "object"),
    (
        "list",
        lambda p: [p[0] * 1, [1.0] * 4],
        TypeError,
        "parameter 1 must be .* CuPy array, found list",
    ),
    ("float", lambda p: [p[0] * 1, 1.0], TypeError, "parameter 1 must be .* array, found float"),
    ("masked", lambda p: [p[0] * 1, np.ma.ones(4)], TypeError, "found MaskedArray; fill"),
    (
        "is the parameter",
        lambda p: [p[0] * 1, p[1]],
        ValueError,
        "parameter 1 overlaps parameter 1",
    ),
    ("overlaps", lambda p: [p[0] * 1, p[0].ravel()[:4]], ValueError, "1 overlaps parameter 0"),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("bad", "error", "message"), [row[1:] for row in BAD_GRADIENTS],
                         ids=[row[0] for row in BAD_GRADIENTS])  # fmt: skip
def test_bad_gradients(bad: Any, error: type[Exception], message: str, backend: str) -> None:
    params = two()
    opt = fs.Adam(params, backend=backend)
    opt.step([p * 1 for p in params])
    before = [a.copy() for a in (*params, *opt.state[0].values(), *opt.state[1].values())
              if isinstance(a, np.ndarray)]  # fmt: skip
    with pytest.raises(error, match=message):
        opt.step(bad(params))
    after = [a for a in (*params, *opt.state[0].values(), *opt.state[1].values())
             if isinstance(a, np.ndarray)]  # fmt: skip
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert opt.state[0]["step"] == opt.state[1]["step"] == 1


def test_a_gradient_that_is_state() -> None:
    params = two()
    opt = fs.Momentum(params)
    opt.step([p * 1 for p in params])
    with pytest.raises(ValueError, match=r"parameter 1 overlaps parameter 0 \(or its state\)"):
        opt.step([params[0] * 1, opt.state[0]["velocity"].ravel()[:4]])


def read_only() -> Any:
    a = np.ones(3, F32)
    a.setflags(write=False)
    return a


a = np.ones(8, F32)
BAD_PARAMETERS: list[tuple[Any, type[Exception], str]] = [
    (1e-3, TypeError, "write lr=0.001"),
    ("abc", TypeError, "found str"),
    ([], ValueError, "empty parameter list"),
    ([a, a], ValueError, "parameter 0 and parameter 1 are the same array"),
    ([a, a[2:]], ValueError, "parameter 0 and parameter 1 overlap"),
    ({"x": a, "y": a[::2]}, ValueError, "parameter 'x' and parameter 'y' overlap"),
    ([np.arange(3)], TypeError, r"parameter 0 has dtype int64.*np.array\(x, dtype=float\)"),
    ([np.ones(3, bool)], TypeError, "bool"),
    ([np.ones(3, complex)], TypeError, "complex128"),
    ([np.ones(3, np.longdouble)], TypeError, "wanted float16, bfloat16, float32 or float64"),
    ([np.array(["x"])], TypeError, "<U1"),
    ([np.ones(3, object)], TypeError, "object"),
    ([read_only()], ValueError, "parameter 0 is read-only"),
    ([np.lib.stride_tricks.as_strided(a, (3, 3), (0, 4))], ValueError, "overlaps itself"),
    ([np.ma.ones(3)], TypeError, "MaskedArray"),
    ([np.asmatrix(np.eye(1))], TypeError, "matrix"),
    ([[1.0, 2.0]], TypeError, "parameter '0.0' must be .*, found float; keep it as an array"),
    ([1.0], TypeError, "parameter 0 must be .*, found float"),
    ({1: a}, ValueError, "names must be str"),
    ([{"lr": 0.1}], TypeError, "'params'"),
    ([{"params": [a], "momentun": 0.1}], ValueError, "no option 'momentun'"),
    ([{"params": [a], "learning_rate": 0.1}], ValueError, "did you mean 'lr'"),
    ([{"params": [a], 3: 0.1}], TypeError, "a key of a param group must be a str, found 3"),
    ([{"params": [a], "name": 3}], TypeError, "name of a param group must be a str"),
    ([{"params": [a], "param_names": "x"}], TypeError, "param_names must be a list of str"),
    ([{"params": [a], "param_names": None}], TypeError, "param_names must be a list of str"),
    ([{"params": [a], "param_names": [1]}], TypeError, "param_names must be a list of str"),
    ([{"params": [a], "param_names": ["x", "y"]}], ValueError, "found 2 param_names, wanted 1"),
    ([{"params": [a, a], "param_names": "xy"}], TypeError, "param_names must be a list of str"),
    ([{"params": [a, a], "param_names": ["x", "x"]}], ValueError, "found 'x' twice"),
    (
        [{"params": {"x": a}, "param_names": ["y"]}],
        ValueError,
        r"param_names are \['y'\], wanted \['x'\]",
    ),
    ([1], TypeError, "parameter 0 must be .*, found int; keep it as an array, p = np.array"),
    ([np.float32(1)], TypeError, "keep it as an array"),
    (
        [{"params": [[1.0]]}],
        TypeError,
        "parameter '0.0' must be .*, found float; keep it as an array",
    ),
]


@pytest.mark.parametrize(("params", "error", "message"), BAD_PARAMETERS)
def test_bad_parameters(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fs.Adam(params)


def test_interleaved_parameters_do_not_overlap() -> None:
    both = np.zeros((4, 2), F32)
    opt = fs.SGD([both[:, 0], both[:, 1]], lr=1.0)
    opt.step([np.full(4, -1, F32), np.full(4, -2, F32)])
    np.testing.assert_array_equal(both, [[1, 2]] * 4)


def test_names_must_agree() -> None:
    opt = fs.SGD({"W": np.ones(2), "b": np.ones(1)})
    with pytest.raises(ValueError, match=r"\(missing \['b'\], unknown \['c'\]\); None in"):
        opt.step({"W": np.ones(2), "c": np.ones(1)})
    with pytest.raises(ValueError, match=r"must be a dict with .*, found list"):
        opt.step([np.ones(2), np.ones(1)])


BAD_OPTIONS: list[tuple[type[fs.Optimizer], dict[str, Any], str]] = [
    (fs.SGD, {"lr": -1.0}, "Invalid learning rate: -1.0 (lr must be a finite number >= 0)"),
    (fs.SGD, {"lr": np.nan}, "Invalid learning rate: nan"),
    (fs.SGD, {"lr": np.inf}, "Invalid learning rate: inf"),
    (fs.SGD, {"lr": "fast"}, "Invalid learning rate: 'fast'"),
    (fs.SGD, {"lr": True}, "Invalid learning rate: True"),
    (fs.SGD, {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
    (fs.SGD, {"momentum": -0.1}, "Invalid momentum value: -0.1"),
    (fs.SGD, {"nesterov": True}, "requires a momentum and zero dampening, found momentum=0.0"),
    (fs.SGD, {"nesterov": 1}, "Invalid nesterov value: 1 (nesterov must be True or False)"),
    (
        fs.SGD,
        {"average": True},
        "momentum must be in (0, 1) with average=True, found 0.0; it is how much of",
    ),
    (fs.SGD, {"average": True, "momentum": 1.0}, "momentum must be in (0, 1) with average=True"),
    (
        fs.SGD,
        {"average": True, "momentum": 0.9, "dampening": 0.9},
        "dampening must be 0 with average=True, found 0.9; an average dampens every gradient",
    ),
    (
        fs.SGD,
        {"average": True, "momentum": 0.9, "nesterov": True},
        "nesterov must be False with average=True, found True; its step g + momentum*buf",
    ),
    (fs.SGD, {"average": 1}, "Invalid average value: 1 (average must be True or False)"),
    (fs.Adam, {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
    (fs.Adam, {"betas": 0.9}, "betas must be a pair of numbers"),
    (fs.Adan, {"betas": (0.9, 0.99)}, "betas must be three numbers"),
    (fs.Adan, {"betas": (0.9, 0.99, 1.0)}, "Invalid beta parameter at index 2: 1.0"),
    (fs.Adan, {"no_prox": 0}, "Invalid no_prox value: 0 (no_prox must be True or False)"),
    (fs.AdEMAMix, {"t_alpha": 0}, "t_alpha must be a finite number > 0, or None"),
    (fs.AdEMAMix, {"t_beta3": np.inf}, "Invalid t_beta3 value: inf"),
    (fs.AdEMAMix, {"alpha": None}, "alpha must be a finite number >= 0"),
    (fs.ADOPT, {"clip_exponent": -0.25}, "clip_exponent must be a finite number >= 0, or None"),
    (fs.ADOPT, {"clip_exponent": True}, "Invalid clip_exponent value: True"),
    (fs.Adam, {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
    (fs.Adam, {"initial_accumulator_value": -1.0}, "Invalid initial_accumulator_value value: -1.0"),
    (fs.RMSprop, {"alpha": 1.5}, "number in [0, 1]"),
    (fs.AdaptiveGains, {"beta": 1.0}, "number in [0, 1)"),
    (fs.AdaptiveGains, {"min_gain": 2.0, "max_gain": 1.0}, "min_gain must not be above max_gain"),
    (fs.AdaptiveGains, {"compare": "velocity"}, "momentum must not be 0"),
    (
        fs.AdaptiveGains,
        {"compare": "sign"},
        'momentum must not be 0 with compare="sign", found 0.0',
    ),
    (fs.AdaptiveGains, {"compare": "gain"}, "must be one of 'gradient', 'velocity', 'sign'"),
    (fs.Rprop, {"etas": (1.2, 0.5)}, "0 < etas[0] < 1 < etas[1]"),
    (fs.Rprop, {"step_sizes": (2.0, 1.0)}, "0 <= minimum <= maximum"),
    (fs.Adam, {"nonfinite": "ignore"}, "'propagate', 'raise', 'skip'"),
    (fs.Adam, {"backend": "gpu"}, "Invalid backend value: 'gpu'"),
    (fs.Adam, {"state_dtype": "int32"}, "Invalid state_dtype value: 'int32'"),
    (fs.Adam, {"state_dtype": int}, "must be None or one of 'float16', 'bfloat16'"),
    (fs.Adam, {"state_dtype": 16}, "Invalid state_dtype value: 16"),
    (fs.Adam, {"state_dtype": "float16"}, "of dtype float64 must be float64, found float16"),
    (fs.SGD, {"state_dtype": np.float32}, "state_dtype beside parameter 0 of dtype float64"),
]


@pytest.mark.parametrize(("cls", "options", "message"), BAD_OPTIONS)
def test_bad_options(cls: type[fs.Optimizer], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        cls([np.ones(3)], **options)


@pytest.mark.parametrize("bad", ["fast", np.nan, [], b"x", np.ones(3)], ids=repr)
@pytest.mark.parametrize("cls", CLASSES)
def test_what_no_option_of_any_class_takes(cls: type[fs.Optimizer], bad: Any) -> None:
    for name in cls._schema().checks:
        with pytest.raises((TypeError, ValueError), match=r"Invalid|must be"):
            cls([np.ones(2)], **{name: bad})  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["max_norm", "grad_scale", "foreach"])
def test_unknown_arguments(name: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        fs.Adam([np.ones(3)], **{name: None})
    with pytest.raises(TypeError, match="max_value"):
        fs.Adam([np.ones(3)]).step([np.ones(3)], max_value=1.0)  # type: ignore[call-arg]


def test_an_option_is_checked_again_when_it_changed() -> None:
    p = np.ones(3)
    opt = fs.Adam([p])
    opt.step([np.ones(3)])
    now = p.copy()
    opt.param_groups[0]["lr"] = -1
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        opt.step([np.ones(3)])
    opt.param_groups[0]["lr"] = 1e-3
    opt.param_groups[0]["betas"] = beta_list = [0.9, 0.99]
    opt.step([np.ones(3)])
    beta_list[1] = 1.5  # in place: the same list
    with pytest.raises(ValueError, match=r"index 1: 1\.5"):
        opt.step([np.ones(3)])
    assert opt.state[0]["step"] == 2
    assert not np.array_equal(p, now)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_nonfinite(value: float) -> None:
    p = np.ones(3, F32)
    g = np.array([0.0, value, 0.0])  # 1e300 is infinite once it is float32
    for backend in ("native", "reference"):
        with pytest.raises(fs.NonFiniteError, match="gradient of parameter 0 is not finite"):
            fs.Adam([p], nonfinite="raise", backend=backend).step([g])
        opt = fs.Adam([p], nonfinite="skip", backend=backend)
        assert opt.step([np.zeros(3)]).applied
        assert not opt.step([g]).applied
        assert (opt.skipped_steps, opt.state[0]["step"]) == (1, 1)
    np.testing.assert_array_equal(p, 1)


BAD_SCALING: list[tuple[dict[str, Any], str]] = [
    ({"grad_scale": 0.0}, "grad_scale must not be 0"),
    ({"grad_scale": np.nan}, "Invalid grad_scale value: nan (grad_scale must be a finite number)"),
    ({"grad_scale": np.inf}, "grad_scale must be a finite number"),
    ({"grad_scale": np.array(0.0)}, "grad_scale must not be 0"),
    ({"grad_scale": True}, "Invalid grad_scale value: True"),
    ({"grad_scale": "2"}, "Invalid grad_scale value: '2'"),
    ({"max_norm": -1.0}, "Invalid max_norm value: -1.0 (max_norm must be a number >= 0)"),
    ({"max_norm": np.nan}, "Invalid max_norm value: nan"),
    ({"max_norm": [1.0]}, "Invalid max_norm value: [1.0]"),
]


@pytest.mark.parametrize(("scaling", "message"), BAD_SCALING)
def test_bad_scaling(scaling: dict[str, Any], message: str) -> None:
    p = np.ones(3)
    opt, unbound = fs.Adam([p]), fs.Adam()
    with pytest.raises(ValueError, match=re.escape(message)):
        opt.step([np.ones(3)], **scaling)
    with pytest.raises(ValueError, match=re.escape(message)):
        unbound.update([p], [np.ones(3)], **scaling)
    assert (p == 1).all()
    assert not opt.state
