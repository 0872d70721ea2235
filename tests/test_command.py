"""The command ``ferrostep``: what it prints, what its help says, how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

import ferrostep as fs
from ferrostep import inspection


def command(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ferrostep", *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def path(good: bytes, tmp_path: Path) -> Path:
    (tmp_path / "run").write_bytes(good)
    return tmp_path / "run"


def test_exit_codes(good: bytes, path: Path, tmp_path: Path) -> None:
    page, told = (inspection.run(Namespace(file=path, json=json)) for json in (False, True))
    assert command("inspect", path) == (0, f"{page}\n", "")
    assert command("inspect", "--json", path) == (0, f"{told}\n", "")
    path.write_bytes(good[:-1])
    code, out, err = command("inspect", path)
    assert (code, out) == (1, "")
    assert err.startswith(
        f"error: cannot read '{path}': the file has {len(good) - 1} bytes, wanted"
    )
    assert command("inspect", tmp_path / "none")[0] == 1
    assert "is a folder" in command("inspect", tmp_path)[2]
    for wrong in (["inspect"], ["inspect", path, "--yaml"], ["nothing"], []):
        code, out, err = command(*wrong)
        assert (code, out) == (2, "")
        assert err.startswith("usage: ferrostep")


def test_version_and_help() -> None:
    assert command("--version") == (0, f"ferrostep {fs.__version__}\n", "")
    for name in ("info", "inspect", "demo", "cuda-source"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert f"usage: ferrostep {name}" in out
        assert "writes no file" in out or "save three pictures" in out


def test_what_a_terminal_lacks_is_spelled_out(tmp_path: Path) -> None:
    fs.save_checkpoint(tmp_path / "run", extra={"größe": "→"})
    code, out, _ = command("inspect", tmp_path / "run", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert code == 0
    assert r"gr\xf6\xdfe  '\u2192'" in out


def test_a_reader_that_has_enough(path: Path) -> None:
    program = [sys.executable, "-m", "ferrostep", "inspect", str(path)]
    out, into = os.pipe()
    os.close(out)
    try:
        done = subprocess.run(
            program, stdout=into, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    finally:
        os.close(into)
    assert (done.returncode, done.stderr) == (1, "")


def test_it_needs_no_extra_and_reads_no_array(path: Path) -> None:
    """bfloat16 without ml_dtypes, a file without safetensors."""
    program = """
import sys
extras = ("ml_dtypes", "safetensors", "sklearn", "matplotlib", "rich")
sys.modules.update(dict.fromkeys(extras))
from ferrostep.checkpoint import container
container.Container.read = None
from ferrostep.__main__ import main
sys.argv = ["ferrostep", "inspect", sys.argv[1]]
sys.exit(main())
"""
    run = [sys.executable, "-c", program, path]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "bfloat16" in done.stdout
