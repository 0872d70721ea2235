"""Where and when: what a figure is worth nothing without."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import ferrostep as fs
from ferrostep import _native

CPU = Path("/sys/devices/system/cpu/cpu0")


def describe() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "family": f"family {_cpuinfo('cpu family')} model {_cpuinfo('model')}",
        "cores": os.cpu_count(),
        "caches": _caches(),
        "governor": _read(CPU / "cpufreq/scaling_governor") or "not shown",
        "huge_pages": _read(Path("/sys/kernel/mm/transparent_hugepage/enabled")) or "not shown",
        "memory_gb": round(memory("MemTotal") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "ferrostep": fs.__version__,
        "tier": _native.simd_tier(),
        "load": os.getloadavg()[0],
        "threads": _native.default_num_threads(),
    }


def memory(name: str) -> int:
    """Return a line of /proc/meminfo in bytes; where there is none, 4 GB."""
    for line in _read(Path("/proc/meminfo")).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return 4 * 10**9


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _cpuinfo(name: str) -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted((CPU / "cache").glob("index*")):
        kind = _read(index / "type").replace("Unified", "").replace("Instruction", "i")
        name = f"L{_read(index / 'level')}{kind.replace('Data', 'd')}"
        found[name] = _read(index / "size")
    return found
