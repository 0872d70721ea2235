"""The machine, and whether what everything else needs is there: each line stands for itself."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata

import numpy as np
from results import Results


def versions() -> str:
    names = ("numpy", "ml_dtypes", "pytest", "hypothesis", "safetensors", "torch")
    found = [("Python", platform.python_version())]
    for name in names:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "absent"))
    return ", ".join(f"{name} {version}" for name, version in found)


def package() -> str:
    import ferrostep as fs

    if not fs.__file__.startswith(os.environ["FERROSTEP_GPU_WHEEL"]):
        raise ImportError(f"another ferrostep was imported: {fs.__file__}")
    return fs.__version__


def hardware() -> str:
    import cupy

    cuda = cupy.cuda.runtime
    if not cupy.is_available():
        return f"NONE: the stand-in takes the place of a CUDA device (CuPy {cupy.__version__})"
    found = cuda.getDeviceProperties(0)
    free, total = cuda.memGetInfo()
    return (
        f"{found['name'].decode()}, compute capability {found['major']}.{found['minor']}, "
        f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free, driver {cuda.driverGetVersion()}, "
        f"runtime {cuda.runtimeGetVersion()}, CuPy {cupy.__version__}"
    )


def one_step() -> str:
    import ferrostep as fs
    from support import device

    p, g = device.to_device(np.ones(5, np.float32)), device.to_device(np.ones(5, np.float32))
    fs.SGD([p], lr=0.5).step([g])
    if not (device.to_host(p) == 0.5).all():
        raise ValueError(f"wrong values: {device.to_host(p)}")
    return "right"


def expressions() -> str:
    """CuPy compiles these with headers that our kernels do without."""
    import cupy

    if not cupy.is_available():
        return "not tried without a device"
    x = cupy.asarray(np.arange(5, dtype=np.float32))
    return "right" if float((x * 2).sum()) == 20 else "WRONG"


LINES: dict[str, Callable[[], str]] = {
    "versions": versions,
    "ferrostep": package,
    "device": hardware,
    "one step": one_step,
    "CuPy's expressions": expressions,
}


def main() -> int:
    failed = False
    for name, tell in LINES.items():
        try:
            found = tell()
        except Exception as error:
            failed, found = True, f"FAILED: {type(error).__name__}: {error}"
        print(f"{name}: {found}", flush=True)
        Results.here().put("machine", name, found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
