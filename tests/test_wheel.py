"""The wheel in an empty virtual environment outside the checkout, for every CPython found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TRAIN = """
import sys, numpy as np, ferrostep as fs
assert "site-packages" in fs.__file__, fs.__file__
w, start = (np.linspace(-1, 1, 1001, dtype=np.float32) for _ in range(2))
twin = start.copy()
opt, reference = fs.Adam([w], lr=0.05), fs.Adam([twin], lr=0.05, backend="reference")
for _ in range(50):
    opt.step([2 * w])
    reference.step([2 * twin])
assert (w.view("u4") == twin.view("u4")).all()
assert (w**2).sum() < 0.1 * (start**2).sum()
print("trained on", sys.version_info[:2])
"""


def interpreters() -> dict[tuple[int, int], Path]:
    """One working CPython >= 3.11 for each version on the path or under pyenv."""
    names = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    paths = [Path(name) for name in names if name] + [Path(sys.executable)]
    paths += sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    found: dict[tuple[int, int], Path] = {}
    for path in paths:
        done = subprocess.run([path, "-VV"], capture_output=True, text=True, check=False)
        version = re.match(r"Python (\d+)\.(\d+)", done.stdout)
        if done.returncode == 0 and version and "PyPy" not in done.stdout:
            key = (int(version[1]), int(version[2]))
            if key >= (3, 11):
                found.setdefault(key, path)
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    maturin = Path(sys.executable).with_name("maturin")
    command = [maturin, "build", "--release", "--quiet", "--out", out]
    subprocess.run(command, cwd=ROOT, check=True)
    (built,) = out.glob("*.whl")
    assert "-cp311-abi3-" in built.name
    return built


@pytest.mark.parametrize("version", interpreters(), ids=lambda v: f"{v[0]}.{v[1]}")
def test_it_trains(wheel: Path, version: tuple[int, int], tmp_path: Path) -> None:
    subprocess.run([interpreters()[version], "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, cwd=tmp_path)
    kept: dict[str, Any] = {"capture_output": True, "text": True, "cwd": tmp_path, "check": False}
    done = subprocess.run([python, "-c", TRAIN], **kept)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"trained on {version}"
    demo = subprocess.run([python, "-m", "ferrostep", "demo"], **kept)
    assert "pip install 'ferrostep[demo]'" in demo.stderr  # the extra is not installed here
    assert "Traceback" not in demo.stderr
    assert demo.returncode == 1
