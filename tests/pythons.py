"""The one wheel on every CPython found, each with the oldest and the newest NumPy.

Run by `make test-pythons`. Every combination has a virtual environment of its own, with the wheel
and what the tests import; a source distribution is built and installed in one more.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from support.wheels import ROOT, build, interpreters

#: What depends on the interpreter or on NumPy; how it was built and what it computes in Rust does
#: not. Those that build or compile something, or need packages beside, are left out.
CORE = (
    *("test_accuracy", "test_bits", "test_random", "test_fingerprints", "test_parity"),
    *("test_bad_input", "test_bad_moments", "test_clip", "test_schedulers"),
    *("test_plateau_and_cycle", "test_state_dict", "test_state_dict_copies", "test_registry"),
    *("test_checkpoint", "test_checkpoint_schedulers", "test_checkpoint_damage"),
    *("test_checkpoint_corruption", "test_processes", "test_fuzz"),
)
WHAT = """
import sys, numpy, ferrostep
assert "site-packages" in ferrostep.__file__
print(sys.version.split()[0], numpy.__version__)
"""
PACKAGES = (
    "hypothesis",
    "ml_dtypes",
    "mpmath",
    "autograd",
    "pytest",
    "pytest-xdist",
    "safetensors",
    "scikit-learn",
)


class Outcome(NamedTuple):
    python: str
    numpy: str
    tests: str
    passed: bool


def oldest_numpy() -> str:
    """The bound of the metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bound,) = (d for d in project["dependencies"] if d.startswith("numpy"))
    return re.sub(r"numpy>=", "", bound)


def run(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600
    )


def environment(python: Path, folder: Path) -> Path:
    subprocess.run([python, "-m", "venv", folder], check=True, timeout=300)
    return folder / "bin/python"


def key(version: str) -> list[int]:
    return [int(n) for n in version.split(".")]


def install_numpy(python: Path, wanted: str) -> bool:
    """Install the oldest that has a wheel for this Python, from `wanted` on; or the newest."""
    if wanted == "newest":
        return run(python, "-m", "pip", "install", "-q", "-U", "numpy").returncode == 0
    index = run(python, "-m", "pip", "index", "versions", "numpy").stdout
    found = re.search(r"Available versions: (.*)", index)
    listed = [v.strip() for v in found[1].split(",")] if found else []
    versions = [v for v in listed if re.fullmatch(r"[\d.]+", v)]
    for version in sorted((v for v in versions if key(v) >= key(wanted)), key=key):
        only = ("--only-binary", ":all:", f"numpy=={version}")
        if run(python, "-m", "pip", "install", "-q", *only).returncode == 0:
            return True
    return False


def try_out(python: Path, what: Path, numpy: str, folder: Path) -> Outcome:
    inside = environment(python, folder)
    kept = run(inside, "-m", "pip", "install", "-q", what, *PACKAGES)
    if kept.returncode != 0 or not install_numpy(inside, numpy):
        return Outcome(str(python), numpy, f"not installed: {kept.stderr[-300:]}", False)
    found = run(inside, "-c", WHAT)
    if found.returncode != 0:
        return Outcome(str(python), numpy, found.stderr[-300:], False)
    version, numpy = found.stdout.split()
    tests = [f"tests/{name}.py" for name in CORE]
    options = ("-q", "-n", "2", "-m", "not long", "-p", "no:cacheprovider", "-o", "addopts=")
    done = run(inside, "-m", "pytest", *options, *tests)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    if done.returncode != 0:
        print(done.stdout[-3000:])
    return Outcome(version, numpy, last, done.returncode == 0)


def main() -> int:
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="ferrostep-pythons-") as temporary:
        folder = Path(temporary)
        wheel = build(folder / "wheel")
        source = build(folder / "source", "sdist")
        for version, python in sorted(interpreters().items()):
            for numpy in (oldest_numpy(), "newest"):
                name = f"{version[0]}.{version[1]}-{numpy}"
                outcomes.append(try_out(python, wheel, numpy, folder / name))
                print(*outcomes[-1][:3], sep=" | ", flush=True)
        outcome = try_out(Path(sys.executable), source, "newest", folder / "from-source")
        outcomes.append(outcome._replace(python=f"{outcome.python}, from source"))
    print("\n| Python | NumPy | tests |\n|---|---|---|")
    for outcome in outcomes:
        print(f"| {outcome.python} | {outcome.numpy} | {outcome.tests} |")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
