"""What the processes of a run on a device find around them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

HERE = Path(__file__).parent.resolve()
ROOT = HERE.parent.parent


def environment(folder: Path, results: Path) -> dict[str, str]:
    """Return the variables for processes that import the wheel unpacked in `folder`."""
    ours = [folder / "wheel", HERE, HERE.parent, ROOT]
    before = os.environ.get("PYTHONPATH")
    found = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")
        },
        "PYTHONPATH": os.pathsep.join([*map(str, ours), *([before] if before else [])]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Of the packages here we use those we name: others' plugins can fail.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # Shared by the parts, and writable, which a home need not be.
        "CUPY_CACHE_DIR": str(folder / "kernels"),
        "FERROSTEP_GPU_RESULTS": str(results.resolve()),
        "FERROSTEP_GPU_WHEEL": str(folder / "wheel"),
    }
    if not {"CUDA_PATH", "CUDA_HOME"} & found.keys():
        # CUDA's headers, should the packages bring none.
        compiler = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        if Path(compiler).exists():
            found["CUDA_PATH"] = str(Path(compiler).resolve().parent.parent)
    return found
