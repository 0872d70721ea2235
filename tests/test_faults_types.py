"""Types that say they are bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

import ferrostep as fs
from support.programs import output

#: A class of bytes, called as the real one is.
FAKE = type("bfloat16", (np.void,), {"__module__": "ml_dtypes"})


class Derived(ml_dtypes.bfloat16):  # type: ignore[misc]
    """A class whose arrays NumPy makes bfloat16 itself."""


FALSE: dict[str, Callable[[], np.dtype]] = {
    "one byte": lambda: np.dtype((FAKE, "V1")),
    "two bytes": lambda: np.dtype((FAKE, "V2")),
    "many bytes": lambda: np.dtype((FAKE, "V64")),
    "on top of the real one": lambda: np.dtype((FAKE, ml_dtypes.bfloat16)),
    "structured": lambda: np.dtype([("a", "i1"), ("b", "i1")]),
    "bytes": lambda: np.dtype("V2"),
    "two integers": lambda: np.dtype((ml_dtypes.bfloat16, [("a", "i1"), ("b", "i1")])),
    "another registered type": lambda: np.dtype(ml_dtypes.float8_e5m2),
}


def refused(dtype: np.dtype) -> None:
    p, memory = np.zeros(100, np.float32), np.arange(128, dtype=np.uint8)
    with pytest.raises(TypeError, match=r"the gradient of parameter 0 has dtype"):
        fs.SGD([p], lr=1.0).step([np.zeros(100, dtype)])
    with pytest.raises(TypeError, match=r"parameter 0 has dtype"):
        fs.SGD([memory[: dtype.itemsize].view(dtype)], lr=1.0)
    assert not p.any()
    assert (memory == np.arange(128)).all()


@pytest.mark.parametrize("make", FALSE.values(), ids=FALSE)
def test_what_is_not_bfloat16_is_refused(make: Callable[[], np.dtype]) -> None:
    refused(make())
    # And once the real one is known.
    fs.SGD([np.ones(3, ml_dtypes.bfloat16)], lr=1.0)
    refused(make())


REAL: dict[str, Callable[[], np.dtype]] = {
    "the type": lambda: np.dtype(ml_dtypes.bfloat16),
    "by name": lambda: np.dtype("bfloat16"),
    "derived": lambda: np.dtype(Derived),
    "with metadata": lambda: np.dtype(ml_dtypes.bfloat16, metadata={"a": 1}),
    "swapped": lambda: np.dtype(ml_dtypes.bfloat16).newbyteorder(),
}


@pytest.mark.parametrize("make", REAL.values(), ids=REAL)
def test_what_is_bfloat16_works(make: Callable[[], np.dtype]) -> None:
    p = np.ones(5, make())
    fs.SGD([p], lr=0.5).step([np.ones(5, np.float32).astype(make())])
    assert (p.astype(np.float32) == 0.5).all()


def test_a_module_that_says_it_is_ml_dtypes_is_not_believed() -> None:
    """Also before the real one is imported, and where that never is."""
    program = """
import types
import numpy as np, ferrostep as fs
assert "ml_dtypes" not in sys.modules
def refused(dtype):
    p, g = np.zeros(1_000_000, np.float32), np.zeros(1_000_000, dtype)
    try:
        fs.SGD([p], lr=1.0).step([g])
    except TypeError as error:
        return "has dtype" in str(error) and not p.any()

fake = type("bfloat16", (np.void,), {"__module__": "ml_dtypes"})
types_of = [np.dtype((fake, "V1")), np.dtype((fake, "V2"))]
print([refused(dtype) for dtype in types_of])
sys.modules["ml_dtypes"] = types.ModuleType("ml_dtypes")
print([refused(dtype) for dtype in types_of])
sys.modules["ml_dtypes"].bfloat16 = fake
print([refused(dtype) for dtype in [*types_of, [("a", "V1"), ("b", "V1")]]])
sys.modules["ml_dtypes"] = None
print([refused(dtype) for dtype in types_of])
del sys.modules["ml_dtypes"]
import ml_dtypes
fs.SGD([np.ones(3, ml_dtypes.bfloat16)], lr=1.0).step([np.ones(3, ml_dtypes.bfloat16)])
print([refused(dtype) for dtype in types_of])
"""
    two, three = "[True, True]", "[True, True, True]"
    assert output(program) == [two, two, three, two, two]


def test_a_dtype_that_unpickling_swapped_under_its_arrays() -> None:
    """ml_dtypes has one dtype of all its arrays, and unpickling may change it; nothing of that ends
    the process."""
    program = """
import pickle
import ml_dtypes, numpy as np, ferrostep as fs
b = ml_dtypes.bfloat16
p, g = np.ones(5, b), np.ones(5, b)
opt = fs.Momentum([p], lr=0.5, state_dtype="bfloat16")
opt.step([g])
swapped = pickle.dumps(np.ones(5, b).astype(np.dtype(b).newbyteorder()))
pickle.loads(swapped)
for gradient in (g, np.ones(5, b), np.ones(5, np.float32)):
    try:
        opt.step([gradient])
        fs.Momentum([np.ones(5, b)], lr=0.5).step([gradient])
    except (TypeError, ValueError):
        pass
print("well")
"""
    assert output(program) == ["well"]
