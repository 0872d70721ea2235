"""Wheels of this checkout, and the interpreters that they are tried on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).parents[2]


def interpreters() -> dict[tuple[int, int], Path]:
    """One working CPython >= 3.11 for each version on the path or under pyenv."""
    names = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    paths = [Path(name) for name in names if name] + [Path(sys.executable)]
    paths += sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    found: dict[tuple[int, int], Path] = {}
    for path in paths:
        done = subprocess.run(
            [path, "-VV"], capture_output=True, text=True, check=False, timeout=60
        )
        version = re.match(r"Python (\d+)\.(\d+)", done.stdout)
        if done.returncode == 0 and version and "PyPy" not in done.stdout:
            key = (int(version[1]), int(version[2]))
            if key >= (3, 11):
                found.setdefault(key, path)
    return found


def build(out: Path, what: str = "wheel") -> Path:
    """Build the wheel, or the source distribution, into an empty folder."""
    maturin = Path(sys.executable).with_name("maturin")
    command = ["build", "--release", "--quiet"] if what == "wheel" else ["sdist"]
    with open(Path(tempfile.gettempdir()) / "ferrostep-wheel.lock", "w") as lock:
        if fcntl is not None:  # maturin moves what cargo has built: one at a time
            fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([maturin, *command, "--out", out], cwd=ROOT, check=True, timeout=1800)
    (built,) = out.iterdir()
    return built
