"""The wheel in an empty virtual environment outside the checkout, for every CPython found."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from support.wheels import ROOT, build, interpreters

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


def test_the_wheel_has_what_it_must_and_nothing_else(wheel: Path) -> None:
    package = {
        str(path.relative_to(ROOT / "python"))
        for path in (ROOT / "python/ferrostep").rglob("*")
        if path.suffix in (".py", ".pyi", ".typed")
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith("/WHEEL")).removesuffix("/WHEEL")
        tags = re.findall(r"^Tag: (.*)$", archive.read(f"{info}/WHEEL").decode(), re.MULTILINE)
        metadata = archive.read(f"{info}/METADATA").decode()
        size = archive.getinfo("ferrostep/_native.abi3.so").file_size
    of_info = {name for name in names if name.startswith(info)}
    assert names - of_info == {*package, "ferrostep/_native.abi3.so"}
    allowed = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    extra = {name for name in of_info if not name.removeprefix(f"{info}/").startswith("sboms/")}
    assert extra == {f"{info}/{name}" for name in allowed}
    assert tags
    assert all(tag.startswith("cp311-abi3-") for tag in tags)
    assert f"-{'.'.join(tag.split('-')[2] for tag in tags)}.whl" in wheel.name
    assert "Requires-Python: >=3.11" in metadata
    assert re.search(r"^Requires-Dist: numpy>=2\.0$", metadata, re.MULTILINE)
    assert wheel.stat().st_size < 4_000_000
    assert size < 8_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="ELF")
def test_the_module_needs_an_old_system_only(wheel: Path, tmp_path: Path) -> None:
    """Nothing but the C library and its threads, and of these no symbol newer than 2.34's."""
    with zipfile.ZipFile(wheel) as archive:
        module = archive.extract("ferrostep/_native.abi3.so", tmp_path)
    shown = subprocess.run(
        ["readelf", "-dVW", module], capture_output=True, text=True, check=True, timeout=60
    )
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", shown.stdout))
    assert needed <= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2",
                      "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}  # fmt: skip
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", shown.stdout)}
    assert max(versions) <= (2, 34)


def test_the_source_distribution_has_what_it_builds_from(tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path, "sdist")) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    for name in (
        "Cargo.toml",
        "Cargo.lock",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "src/lib.rs",
    ):
        assert name in names
    assert all(
        name in names
        for name in tracked.stdout.split()
        if name.startswith(("src/", "python/", "fuzz/src/"))
    )
    stray = {
        name
        for name in names
        if name.endswith((".so", ".pyc", ".safetensors")) or "target/" in name
    }
    assert not {name for name in stray if name not in tracked.stdout.split()}


@pytest.mark.parametrize("version", interpreters(), ids=lambda v: f"{v[0]}.{v[1]}")
def test_it_trains(wheel: Path, version: tuple[int, int], tmp_path: Path) -> None:
    command = [interpreters()[version], "-m", "venv", tmp_path / "venv"]
    subprocess.run(command, check=True, timeout=300)
    python = tmp_path / "venv/bin/python"
    command = [python, "-m", "pip", "install", "-q", wheel]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=600)
    kept: dict[str, Any] = {"capture_output": True, "text": True, "cwd": tmp_path, "check": False}
    done = subprocess.run([python, "-c", TRAIN], timeout=300, **kept)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"trained on {version}"
    shown = subprocess.run([python.with_name("ferrostep"), "--version"], timeout=300, **kept)
    assert shown.stdout.startswith("ferrostep ")
    demo = subprocess.run([python, "-m", "ferrostep", "demo"], timeout=300, **kept)
    assert "pip install 'ferrostep[demo]'" in demo.stderr  # the extra is not installed here
    assert "Traceback" not in demo.stderr
    assert demo.returncode == 1
