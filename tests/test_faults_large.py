"""Arrays of more elements than 31 or 32 bits can count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ferrostep as fs
from support.arrays import Array

pytestmark = pytest.mark.long


def available() -> int:
    """The bytes that may be had without swapping; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("MemAvailable"))


def needs(size: int) -> None:
    if available() < size + 2 * 2**30:
        pytest.skip(f"needs {size / 2**30:.0f} GiB of memory")


def places(n: int) -> list[int]:
    """Where a number that is cut to 31 or 32 bits would show."""
    edges = [0, 2**31, 2**32, n]
    return sorted({i for edge in edges for i in range(edge - 3, edge + 3) if 0 <= i < n})


def sparse(folder: Path, n: int) -> Array:
    """A gradient in a file of holes: 1 at the places, 0 elsewhere."""
    g = np.memmap(folder / "gradient", np.float16, "w+", shape=(n,))
    for i in places(n):
        g[i] = 1
    return g


def only_at_places(p: Array, value: float) -> None:
    found = {i: float(p[i]) for i in places(p.size)}
    assert set(found.values()) == {value}, found
    step = 2**26
    others = sum(
        int(np.count_nonzero(p[i : i + step].view(np.uint16))) for i in range(0, p.size, step)
    )
    assert others == len(found)


def test_more_than_32_bits(tmp_path: Path) -> None:
    """In place, with the norm and the search for what is not finite."""
    n = 2**32 + 70
    needs(2 * n)
    p, g = np.zeros(n, np.float16), sparse(tmp_path, n)
    opt = fs.SGD([p], lr=0.5, nonfinite="raise")
    info = opt.step([g], max_norm=np.inf)
    assert info.grad_norm == np.sqrt(len(places(n)))
    only_at_places(p, -0.5)
    g[-1] = np.inf
    with pytest.raises(fs.NonFiniteError, match="parameter 0"):
        opt.step([g])
    only_at_places(p, -0.5)
    # A gradient of one value takes the way of the tiles.
    p[places(n)] = 0
    opt.step([np.broadcast_to(np.float16(0.25), n)])
    step = 2**26
    assert all((p[i : i + step] == -0.125).all() for i in range(0, n, step))


def test_state_of_more_than_31_bits(tmp_path: Path) -> None:
    n = 2**31 + 70
    needs(4 * n)
    p, g = np.zeros(n, np.float16), sparse(tmp_path, n)
    opt = fs.Momentum([p], lr=0.5, momentum=0.5, state_dtype="float16")
    opt.step([g])
    opt.step([g])
    only_at_places(opt.state[0]["velocity"], -0.75)
    only_at_places(p, -1.25)
