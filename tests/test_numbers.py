"""Numbers as gradients, parameters that are none, and the bounds of numbers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from ferrostep.options import non_negative, number


@pytest.mark.parametrize("number", [0.5, 2, np.float64(0.5), np.array(0.5)])
@pytest.mark.parametrize("structure", [lambda g: g, lambda g: [g], lambda g: (g,)])
def test_a_number_is_the_gradient_of_a_0d_parameter(number: Any, structure: Any) -> None:
    p = np.array(1.0)
    fs.SGD([p], lr=0.5).step(structure(number))
    assert p == 1 - 0.5 * float(number)


def test_a_number_is_no_other_gradient() -> None:
    for p, g in (
        (np.ones(1), 0.5),
        (np.ones((1, 1)), 1),
        (np.array(1.0), True),
        (np.array(1.0), "1"),
    ):
        with pytest.raises(TypeError, match="gradient"):
            fs.SGD([p]).step([g])
    q = np.array(1.0)
    with pytest.raises(TypeError, match="must be a NumPy or CuPy array, found int"):
        fs.SGD([q]).step([10**400])
    named = {"a": np.ones(2), "b": np.array(1.0)}
    fs.SGD(named, lr=0.5).step({"a": np.ones(2), "b": 0.5})
    assert named["b"] == 0.75


@pytest.mark.parametrize(
    ("module", "name", "remedy"),
    [
        ("torch", "Tensor", r"t\.detach\(\)\.numpy\(\)"),
        ("jaxlib._jax", "ArrayImpl", r"immutable: keep the parameter as np\.array\(x\)"),
        ("tensorflow.python", "EagerTensor", r"np\.array\(x\)"),
    ],
)
def test_arrays_of_other_libraries_name_the_remedy(module: str, name: str, remedy: str) -> None:
    foreign = type(name, (), {"__module__": module, "__array__": lambda self: np.ones(2)})()
    for params in ([foreign], {"w": foreign}, [{"params": [foreign]}]):
        with pytest.raises(TypeError, match=f"parameter .* must be .*, found {name}; .*{remedy}"):
            fs.SGD(params)


def test_names_are_different_in_all_groups() -> None:
    opt = fs.SGD([{"params": [np.ones(2)], "param_names": ["a"]}])
    for names, error in ((["a"], ValueError), ("b", TypeError), ([3], TypeError), ([], ValueError)):
        with pytest.raises(error, match="name"):
            opt.add_param_group({"params": [np.ones(2)], "param_names": names})
    opt.add_param_group({"params": [np.ones(2)], "param_names": ("b",)})
    assert opt.param_groups[1]["param_names"] == ["b"]


def test_bounds_are_as_they_say() -> None:
    assert non_negative("lr", sys.float_info.max) == sys.float_info.max
    assert number(0, 1)("beta", np.nextafter(1, 0)) < 1
    for check, value in ((non_negative, -5e-324), (number(0, 1), 1.0), (number(0, 1), np.nan)):
        with pytest.raises(ValueError, match="Invalid"):
            check("x", value)
