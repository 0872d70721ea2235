"""The benchmark of `benchmarks/gpu.py` as a part of a run on a device."""

from __future__ import annotations

import sys

from results import Results

from support import device  # first: without hardware it puts the stand-in into CuPy's place

# isort: split
from benchmarks import gpu


def main() -> int:
    failed = False
    problems, peers = (gpu.PROBLEMS, gpu.PEERS) if device.HARDWARE else (gpu.TINY, gpu.ON_HOST)
    if not device.HARDWARE:
        print("no device: the stand-in's times say nothing", flush=True)
    for line in gpu.measure(problems, peers):
        if not device.HARDWARE and line.seconds is not None:
            line.text = "runs"
        print(f"{line.name}: {line.text}", flush=True)
        Results.here().put("benchmark", line.name, line.entry())
        failed = failed or line.error is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
