"""Run tests on an extension that was built with AddressSanitizer: `make sanitize` builds it.

First what must be found: a parameter that reaches beyond its memory, which NumPy lets one make.
"""

from __future__ import annotations

import os
import subprocess
import sys

BEYOND = """
import numpy as np, ferrostep as fs
view = np.lib.stride_tricks.as_strided(np.ones(4), (100,), (8,))
fs.SGD([view]).step([np.ones(100)])
"""


def run(*arguments: str, **kept: bool) -> subprocess.CompletedProcess[str]:
    """Run Python with the sanitizer's run-time in front of everything else."""
    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    environment = {**os.environ, "LD_PRELOAD": found.stdout.strip(), "PYTHONMALLOC": "malloc"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, text=True, check=False, timeout=7200, **kept
    )


def main() -> int:
    beyond = run("-c", BEYOND, capture_output=True)
    if beyond.returncode == 0 or "heap-buffer-overflow" not in beyond.stderr:
        print(f"the sanitizer finds nothing: {beyond.returncode}\n{beyond.stderr}")
        return 1
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not long")
    return run(*tests, *sys.argv[1:]).returncode


if __name__ == "__main__":
    sys.exit(main())
