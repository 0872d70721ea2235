"""The CUDA kernels as NVRTC compiles them, without a GPU: what it makes of every rounding.

``python tests/test_cuda_nvrtc.py`` prints docs/cuda-registers.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from cases import CASE, FACTORED, LOW_PRECISION, MATRIX_RUNS, RUNS
from ferrostep import _native
from ferrostep.backends.cuda.factors import NAMES
from support import nvrtc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NVRTC is on PyPI for Linux")


def sources() -> Iterator[tuple[str, str]]:
    """Every update kernel of the table of cases, and more kinds of gradient for one of them."""
    matrices = [run for run in MATRIX_RUNS if run[0].optimizer.MATRICES]
    runs = [(case, np.dtype(p).name, np.dtype(p).name, 1) for case, p in [*RUNS, *matrices]]
    runs += [(case, p, g, 2) for case, p, g, _ in runs if case in FACTORED]
    kinds = [np.dtype(x).name for x in [*LOW_PRECISION, np.float32, np.float64]]
    runs += [(CASE["Adam()"], p, g, 1) for p in kinds for g in kinds if p != g]
    runs += [(FACTORED[0], p, g, 2) for p in kinds for g in kinds if p != g]
    for case, p, g, ndim in runs:
        options = case.make(None).defaults
        of = (p, g, options["state_dtype"])
        text = _native.cuda_source(case.optimizer.RULE, options, *of, ndim)
        yield f"{case.name}{' of matrices' * (ndim - 1)} {p} {g}", text


UPDATES: dict[str, str] = {}
for name, text in sources():
    UPDATES.setdefault(text, name)  # the first case that has it
IDS = [f"{i}-{name}" for i, name in enumerate(UPDATES.values())]
#: What would round otherwise: fused, flushing to zero, approximate.
FORBIDDEN = re.compile(r"\b(fma|mad\.r\w\.f\d+|\S*\.ftz|\S*\.approx|\S*\.full)\b")
ARITHMETIC = re.compile(r"\b(add|sub|mul|div|sqrt|neg|abs|min|max|cvt|fma|mad)\.\S*f\d+\S*")


def instructions(ptx: str) -> str:
    """The PTX without comments and declarations."""
    lines = (line.partition("//")[0].strip() for line in ptx.splitlines())
    return "\n".join(line for line in lines if not line.startswith("."))


def entry(name: str, ptx: str) -> str:
    """The instructions of one kernel."""
    _, _, code = ptx.partition(f".entry {name}(")
    return instructions(code.partition(".entry ")[0])


def test_nvrtc_is_there() -> None:
    assert nvrtc.library() is not None, "pip install ferrostep[test] brings it"
    oldest, newest = nvrtc.architectures()[0], nvrtc.architectures()[-1]
    assert oldest <= 75
    assert newest >= 90


def check(source: str, architecture: int) -> nvrtc.Compiled:
    compiled = nvrtc.compile(source, architecture)
    code = instructions(compiled.ptx)
    assert not (found := FORBIDDEN.search(code)), found
    for found in ARITHMETIC.finditer(code):
        # Every operation on numbers is one of the primitives, rounded to nearest-even.
        exact = {"cvt.f64.f32"}
        assert ".rn." in found[0] or found[0] in exact, found[0]
    for kernel, usage in compiled.usage.items():
        assert usage.spill_bytes == 0
        # One thread for each tensor or element may call the division of float64.
        assert usage.stack_bytes == 0 or kernel in ("ferrostep_measured", "ferrostep_matrix_begin")
    return compiled


@pytest.mark.parametrize("place", [0, -1], ids=["oldest", "newest"])
@pytest.mark.parametrize(("source", "name"), UPDATES.items(), ids=IDS)
def test_every_update_kernel(source: str, name: str, place: int) -> None:
    compiled = check(source, nvrtc.architectures()[place])
    also = ["terms"] if "device void terms(" in source else []
    also += ["measured"] if "struct Own" in source else []
    also += NAMES if "struct Matrices" in source else []
    also += ["matrix_begin", "matrix_product", "matrix_end"] if name.startswith("Muon") else []
    assert set(compiled.usage) == {f"ferrostep_{kernel}" for kernel in ["update", *also]}
    # At least two blocks of 256 threads on a multiprocessor of 65,536 registers.
    assert all(usage.registers <= 128 for usage in compiled.usage.values())
    code = entry("ferrostep_update", compiled.ptx)
    assert ".v4." in code or ".v2." in code
    narrow = "typedef float real;" in source
    if narrow and "typedef double Grad;" not in source:
        assert ".f64" not in code
    elif narrow:  # the gradient's one conversion
        doubles = {line.split()[0] for line in code.splitlines() if ".f64" in line}
        assert all(re.fullmatch(r"ld\.(v2\.)?f64|cvt\.rn\.f32\.f64", op) for op in doubles), doubles


@pytest.mark.parametrize("place", [0, -1], ids=["oldest", "newest"])
def test_the_norm_kernels(place: int) -> None:
    compiled = check(_native.cuda_norm_source(), nvrtc.architectures()[place])
    assert len(compiled.usage) == 7


def test_what_is_forbidden_would_be_found() -> None:
    """The checks themselves: plain C++ under the same flags breaks them all."""
    plain = """extern "C" __global__ void plain(float* x) {
        x[0] = x[0] * x[1] + x[2] / x[3] + sqrtf(x[4]); }"""
    code = instructions(nvrtc.compile(plain, nvrtc.architectures()[-1]).ptx)
    assert {match[1].split(".")[-1] for match in FORBIDDEN.finditer(code)} >= {"ftz"}
    assert "fma." in code
    assert ".approx" in code


def main() -> None:
    oldest, newest = nvrtc.architectures()[0], nvrtc.architectures()[-1]
    print("# Registers of the CUDA kernels")
    print()
    print(f"By NVRTC {nvrtc.version()} with `{' '.join(nvrtc.HARSH_FLAGS)}`; written by")
    print(
        "`python tests/test_cuda_nvrtc.py`. A kernel is listed with the first case that has it: an"
    )
    print("optimizer with its options, the parameter and the gradient. Nothing is spilled.")
    print()
    print(f"| kernel | sm_{oldest} | sm_{newest} |")
    print("|---|---|---|")
    for source, name in {**UPDATES, _native.cuda_norm_source(): ""}.items():
        found = [check(source, architecture).usage for architecture in (oldest, newest)]
        for kernel in found[0]:
            of = kernel.removeprefix("ferrostep_")
            what = name if of == "update" else f"{name}: {of}".removeprefix(": ")
            print(f"| {what} | {' | '.join(str(u[kernel].registers) for u in found)} |")


if __name__ == "__main__":
    main()
