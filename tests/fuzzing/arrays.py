"""Arrays as the fuzzer describes them: two worlds get the same, and a script can print it."""

from __future__ import annotations

import math
from random import Random
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided

from support.arrays import Array, special_values

FLOATS = ("<f2", ">f2", "bfloat16", "<f4", "<f4", "<f4", ">f4", "<f8", "<f8", ">f8")
NOT_FLOATS = ("<i4", "<u8", "?", "<c8", "<c16", "<M8[s]", "S3", "<U2")
LAYOUTS = ("c", "c", "c", "c", "f", "strided", "reversed", "gapped", "unaligned", "fortran gaps")
WRONG_LAYOUTS = ("broadcast", "read-only", "interleaved")
SHAPES = (
    (),
    (0,),
    (1,),
    (3,),
    (7,),
    (2, 3),
    (3, 1),
    (2, 0),
    (2, 2, 3),
    (33,),
    (5, 7),
    (1, 1, 1, 2, 2),
)
LONG = ((257,), (17, 31), (4099,))
BANK = 8192


def _bank() -> Array:
    """Values of many magnitudes, zeros, and now and then one that arithmetic treats apart."""
    rng = np.random.default_rng(20)
    values = rng.standard_normal(BANK) * 10.0 ** rng.integers(-6, 4, BANK)
    values[rng.random(BANK) < 0.1] = 0.0
    special = special_values(np.float64)
    places = rng.choice(BANK // 2, 120, replace=False)  # the other half is tame
    values[places] = rng.choice(special, 120)
    return values


with np.errstate(all="ignore"):
    BANKS = {
        name: _bank().astype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        for name in set(FLOATS)
    }


class Spec(NamedTuple):
    """An array of its own memory; the values are taken from a bank, from `start` on."""

    dtype: str
    shape: tuple[int, ...]
    layout: str = "c"
    start: int = 0

    def build(self) -> Array:
        size = math.prod(self.shape)
        bank = BANKS.get(self.dtype)
        if bank is None:
            flat = np.zeros(size, self.dtype)
        else:
            flat = np.resize(bank[self.start : self.start + size], size)
        values = flat.reshape(self.shape)
        return laid_out(values, self.layout)


def laid_out(values: Array, layout: str) -> Array:
    shape, dtype = values.shape, values.dtype
    if layout == "c":
        return values.copy()
    if layout == "f":
        return values.copy(order="F")
    if layout == "read-only":
        made = values.copy()
        made.setflags(write=False)
        return made
    if layout == "broadcast":  # writable, all elements in one place
        return as_strided(np.zeros(1, dtype), shape, (0,) * len(shape), writeable=True)
    if layout == "interleaved":  # elements share bytes
        return as_strided(
            np.zeros(values.size + 8, dtype),
            shape,
            (dtype.itemsize // 2,) * len(shape),
            writeable=True,
        )
    if layout == "unaligned":
        raw = np.zeros(values.nbytes + 1, np.uint8)
        made = raw[1:].view(dtype).reshape(shape)
    elif layout == "strided":
        made = np.zeros((*shape, 2), dtype)[..., 0]
    elif layout == "reversed":
        made = np.zeros(shape, dtype)[(..., *(slice(None, None, -1),) * len(shape))]
    elif layout == "gapped":
        made = np.zeros([n + 1 for n in shape], dtype)[(..., *(slice(n) for n in shape))]
    else:
        gaps = np.zeros([n + 1 for n in shape], dtype, order="F")
        made = gaps[(..., *(slice(n) for n in shape))]
    made[...] = values
    return made


def shape(random: Random) -> tuple[int, ...]:
    return random.choice(LONG if random.random() < 0.03 else SHAPES)


def spec(
    random: Random,
    like: tuple[int, ...] | None = None,
    dtype: str | None = None,
    wrong: float = 0.03,
) -> Spec:
    """An array, of the given shape and dtype unless it is to be wrong."""
    wanted = shape(random) if like is None or random.random() < wrong else like
    kind = dtype if dtype is not None and random.random() < 0.6 else random.choice(FLOATS)
    if random.random() < wrong:
        kind = random.choice(NOT_FLOATS)
    layout = random.choice(WRONG_LAYOUTS if random.random() < wrong / 2 else LAYOUTS)
    size = math.prod(wanted)
    # Half of all values are tame: what is infinite once is not finite for ever.
    low = BANK // 2 if size < BANK // 2 and random.random() < 0.7 else 0
    return Spec(kind, wanted, layout, random.randrange(low, max(BANK - size, low) + 1))


def matching(array: Any) -> str | None:
    """The name that a Spec has for an array's dtype."""
    name = "bfloat16" if array.dtype.name == "bfloat16" else array.dtype.str
    return name if name in BANKS else None
