"""This installation: versions, SIMD tiers, threads, backends."""

from __future__ import annotations

import platform

import numpy as np

from ferrostep import _native


def config() -> dict[str, str]:
    """Return version, SIMD tiers, threads and backends by name."""
    return {
        "ferrostep": _native.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "SIMD tiers": ", ".join(_native.simd_tiers()),
        "SIMD tier in use": _native.simd_tier(),
        "threads": f"{_native.num_threads()} (default {_native.default_num_threads()})",
        "backends": ", ".join(["native", "reference", *_cuda()]),
    }


def _cuda() -> list[str]:
    """Return the CUDA backend with CuPy's version, without importing it."""
    # An import as long as all the rest of ours: for who asks alone.
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    found = packages_distributions().get("cupy", [])
    try:
        return [f"cuda ({found[0]} {version(found[0])})"] if found else []
    except PackageNotFoundError:
        return []


def show_config() -> None:
    """Print version, SIMD tiers available and in use, threads, and backends found."""
    for name, value in config().items():
        print(f"{name:<18}{value}")
