"""Things that no caller should pass, and values of options, right and wrong."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

inf, nan = float("inf"), float("nan")


class Mine(Exception):
    """Raised by the fuzzer's own objects: it may pass through."""


class Sub(np.ndarray):  # type: ignore[type-arg]
    """A subclass of arrays."""


class Raising:
    """What raises when it is asked for anything."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Mine

    def __float__(self) -> float:
        raise Mine

    def __deepcopy__(self, _: Any) -> Raising:
        return self

    def __repr__(self) -> str:
        return "Raising()"


class Odd:
    """A thing by its name, made anew for each world; `made` may look at the world."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Odd({self.name!r})"

    def build(self) -> Any:
        return THINGS[self.name]()


THINGS: dict[str, Any] = {
    "object": lambda: "an object",
    "list of floats": lambda: [1.0, 2.0, 3.0],
    "nested list": lambda: [[1.0], [2.0]],
    "string": lambda: "abc",
    "bytes": lambda: b"abc",
    "number": lambda: 0.5,
    "scalar": lambda: np.float32(2.0),
    "set": lambda: {1, 2},
    "class": lambda: float,
    "none": lambda: None,
    "object array": lambda: np.array([None, 1.0, "x"], dtype=object),
    "structured": lambda: np.zeros(3, dtype=[("a", "<f4"), ("b", "<f4")]),
    "longdouble": lambda: np.ones(3, np.longdouble),
    "masked": lambda: np.ma.masked_array(np.ones(3, np.float32), mask=[0, 1, 0]),
    "matrix": lambda: np.ones((2, 3), np.float32).view(Sub),
    "raising": Raising,
    "empty list": list,
    "empty dict": dict,
    "generator": lambda: (np.ones(3, np.float32) for _ in range(2)),
    "groups": lambda: [{"params": []}],
    "no groups": lambda: [{"lr": 0.1}],
    "ordered": lambda: OrderedDict(w=np.ones(3)),
    "int keys": lambda: {0: np.ones(3), 1: np.ones(3)},
    "pairs": lambda: [("w", np.ones(3)), ("w", np.ones(3))],
    "mixed": lambda: [("w", np.ones(3)), np.ones(3)],
    "decimal": lambda: Decimal("0.1"),
    "fraction": lambda: Fraction(1, 3),
    "ellipsis": lambda: ...,
}
NAMES = tuple(THINGS)

#: For every option: what no class accepts, or not all do.
WRONG: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    -0.1,
    nan,
    inf,
    -inf,
    10**400,
    "fast",
    "",
    b"x",
    1j,
    [],
    (),
    (0.9,),
    (0.9, 0.9, 0.9),
    (1.0, 0.9),
    (0.9, 1.0),
    (nan, 0.5),
    ("a", "b"),
    [0.9, None],
    {},
    np.float32(nan),
    np.int8(-3),
    np.True_,
    np.complex64(1),
    Odd("decimal"),
    Odd("fraction"),
    Odd("raising"),
    Odd("object array"),
    Odd("class"),
    1 << 63,
    1e308,
    5e-324,
    "int32",
    "float128",
)

FLAGS = (True, False, np.True_, np.False_)
RATES = (
    0.0,
    1e-3,
    0.1,
    0.1,
    0.5,
    1,
    3.0,
    np.float32(0.1),
    np.float64(0.25),
    np.int64(1),
    np.float16(0.5),
    1e-45,
    1e-300,
    1e38,
    1e300,
    -0.0,
)
EPS = (0.0, 1e-8, 1e-8, 1e-7, np.float32(1e-6), 1.0, 5e-324, 1e-40, 1e300)
DTYPES = (
    None,
    None,
    None,
    "float16",
    "bfloat16",
    "float32",
    "float64",
    np.float16,
    np.float32,
    "f4",
    "<f2",
    ">f4",
    np.dtype("f8"),
    float,
)

POOLS: dict[str, tuple[Any, ...]] = {
    "lr": RATES,
    "weight_decay": (0.0, 0.0, 0.01, 0.1, 1, 1e30, 5e-324, np.float32(0.3)),
    "decoupled_weight_decay": FLAGS,
    "maximize": FLAGS,
    "flush_subnormals": FLAGS,
    "state_dtype": DTYPES,
    "nonfinite": ("propagate", "raise", "skip"),
    "momentum": (0.0, 0.0, 0.5, 0.9, 0.99, 1.0, 1, np.float32(0.9), 1e-40, 1e30),
    "dampening": (0.0, 0.0, 0.3, 1.0, -1.0, 1e30),
    "nesterov": FLAGS,
    "betas": (
        (0.9, 0.999),
        (0.0, 0.0),
        [0.8, 0.95],
        np.array([0.5, 0.9]),
        (0.0, 1 - 2**-53),
        (1 - 2**-53, 0.5),
        (np.float32(0.9), 0.99),
        (1e-300, 1e-300),
    ),
    "eps": EPS,
    "amsgrad": FLAGS,
    "bias_correction": FLAGS,
    "epsilon_hat": FLAGS,
    "alpha": (0.99, 0.0, 1.0, 0.5, 1, np.float32(0.9)),
    "centered": FLAGS,
    "eps_inside_sqrt": FLAGS,
    "initial_accumulator_value": (0.0, 0.1, 1.0, 1e30),
    "lr_decay": (0.0, 0.1, 1, 1e30, 1e-300),
    "rho": (0.9, 0.0, 1.0, 0.5),
    "beta": (0.05, 0.0, 0.2, 0.99),
    "min_gain": (0.01, 0.0, 0.5, 1.0),
    "max_gain": (100.0, 1.5, inf, 1e30),
    "compare": ("gradient", "velocity", "sign"),
    "etas": ((0.5, 1.2), (0.4, 1.5), [0.1, 2.0], (5e-324, 1e30)),
    "step_sizes": ((1e-6, 50.0), (0.0, inf), (0.05, 0.5), [0.0, 0.0], (1e30, 1e38)),
}
