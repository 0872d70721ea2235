"""`tests/gpu/run` on the stand-in, so that no minute on a device is lost to a fault of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ferrostep as fs

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

from benchmarks import gpu
from support import device

RUN = Path(__file__).with_name("gpu") / "run"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that is being tested, as a wheel would bring it."""
    path = tmp_path_factory.mktemp("wheel") / "ferrostep-0-py3-none-any.whl"
    package = Path(fs.__file__).parent
    with zipfile.ZipFile(path, "w") as archive:
        for file in package.rglob("*"):
            if file.suffix in (".py", ".so"):
                archive.write(file, Path("ferrostep", file.relative_to(package)))
    return path


def run(out: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    python = Path(sys.executable).parent
    environment = {
        **os.environ,
        "OUT": str(out),
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-k Streams",  # the suite runs the others by itself
    }
    return subprocess.run(
        [RUN, *arguments], env=environment, capture_output=True, text=True, timeout=290
    )


@pytest.mark.skipif(device.HARDWARE, reason="make test-gpu runs it")
def test_all_parts_but_the_case_table(wheel: Path, tmp_path: Path) -> None:
    done = run(tmp_path, wheel, "--parts", "device", "faults", "benchmark")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert {name: part["outcome"] for name, part in found["parts"].items()} == {
        "device": "ok",
        "faults": "ok",
        "benchmark": "ok",
    }
    assert found["machine"]["device"].startswith("NONE")
    assert found["tests"]["faults"]["counts"]["passed"] == 3
    ours = [line for name, line in found["benchmark"].items() if name.endswith("ferrostep")]
    assert len(ours) == len(gpu.PROBLEMS)
    assert all(line["seconds"] > 0 and line["text"] == "runs" for line in ours)
    assert done.stdout.rstrip().endswith(f"all of it is in {tmp_path / 'gpu.json'}")


def test_a_part_that_fails_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    empty = tmp_path / "empty.whl"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("ferrostep/__init__.py", "raise ImportError('this one is broken')")
    done = run(tmp_path / "out", empty, "--parts", "faults", "device")
    assert done.returncode == 1
    found = json.loads((tmp_path / "out/gpu.json").read_text())
    assert all(part["outcome"].startswith("failed") for part in found["parts"].values())
    assert found["machine"]["ferrostep"] == "FAILED: ImportError: this one is broken"
    assert "this one is broken" in done.stdout
