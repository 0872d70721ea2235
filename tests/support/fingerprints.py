"""`fingerprints.json`: what every case is, for the tests in Rust, and what it computes.

It is printed by ``python tests/test_fingerprints.py`` from the one table of cases. Its hashes are
clause 9 of the numerical contract: one for each case and dtype, the same on every platform.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ferrostep as fs
from cases import CASES, ELEMENTWISE, HIDDEN, MATRIX_RUNS, RUNS, Case
from support.arrays import Array, bits, special_values

FILE = Path(__file__).parents[1] / "fingerprints.json"
SIZES = [0, 1, 7, 64, 257, 4099]
MATRIX_SHAPES = [(1, 1), (3, 7), (40, 13), (70, 65)]
STEPS = 6


def inputs(n: int, seed: int, dtype: type) -> Array:
    """Numbers in [-2, 2) by a Weyl sequence: exact, and independent of any generator's version."""
    k = (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(40503) + np.uint64(seed * 977)
    return ((k % np.uint64(65536)).astype(np.float64) / 16384 - 2).astype(dtype)


def fingerprint(case: Case, dtype: type, **more: str) -> str:
    special = special_values(dtype)
    params = [inputs(n, n + 1, dtype) for n in SIZES]
    params.append(np.repeat(special, len(special)))
    opt = case.make(params, **more)
    for step in range(STEPS):
        grads = [inputs(n, 31 * n + step, dtype) for n in SIZES]
        grads.append(np.roll(np.tile(special, len(special)), 3 * step))
        opt.step(grads)
    return hashed(params, opt)


def hashed(
    params: list[Any], opt: fs.Optimizer, to_host: Callable[[Any], Array] = np.asarray
) -> str:
    """Of parameters, the numbers that are remembered, and the arrays of state, by name."""
    digest = hashlib.sha256()
    for i, p in enumerate(params):
        entry = {name: x for name, x in opt.state[i].items() if name != "step"}
        for value in [p, *(entry[name] for name in sorted(entry))]:
            array = to_host(value)
            digest.update(bits(array).astype(f"<u{array.itemsize}").tobytes())
    return digest.hexdigest()


def all_fingerprints(**more: str) -> dict[str, str]:
    return {
        f"{case.name} {np.dtype(dtype).name}": fingerprint(case, dtype, **more)
        for case, dtype in RUNS
    }


def matrix_fingerprint(case: Case, dtype: type, **more: str) -> str:
    params = [inputs(r * c, r + c, dtype).reshape(r, c) for r, c in MATRIX_SHAPES]
    opt = case.make(params, **more)
    for step in range(STEPS):
        opt.step([inputs(p.size, 31 * p.size + step, dtype).reshape(p.shape) for p in params])
    return hashed(params, opt)


def all_matrix_fingerprints(**more: str) -> dict[str, str]:
    return {
        f"{case.name} {np.dtype(dtype).name}": matrix_fingerprint(case, dtype, **more)
        for case, dtype in MATRIX_RUNS
    }


def _readable(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON has them: without infinity, and without the storage, which Rust chooses."""
    return {
        name: "inf" if value == float("inf") else list(value) if type(value) is tuple else value
        for name, value in options.items()
        if name != "state_dtype"
    }


def optimizers() -> dict[str, Any]:
    """The rule of every class, and all of its options."""
    return {
        cls.__name__: {"rule": cls.RULE, "defaults": _readable(cls().defaults)}
        for cls in [*ELEMENTWISE, *HIDDEN]
    }


def options_of_cases() -> dict[str, Any]:
    """The class of every case, and the options that are not its defaults."""
    return {
        case.name: {"optimizer": case.optimizer.__name__, "options": _readable(case.options)}
        for case in CASES
    }


def known() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def printed() -> str:
    """The file, one entry a line."""
    parts = {
        "optimizers": optimizers(),
        "cases": options_of_cases(),
        "fingerprints": all_fingerprints(),
        "matrices": all_matrix_fingerprints(),
    }
    texts = [
        f' "{part}": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in of.items())
        + "\n }"
        for part, of in parts.items()
    ]
    return "{\n" + ",\n".join(texts) + "\n}"
