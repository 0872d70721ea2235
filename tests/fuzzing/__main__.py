"""Run the Python fuzzers: ``python -m fuzzing`` in ``tests/``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import fuzzing.arrays
import fuzzing.odd
import fuzzing.things
from fuzzing import session
from fuzzing.processes import FUZZERS, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("fuzzer", nargs="*", default=list(FUZZERS), help=", ".join(FUZZERS))
    parser.add_argument("--minutes", type=float, default=0.2, help="for each fuzzer")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="the first number of every seed; the time if left out",
    )
    parser.add_argument("--replay", type=Path, help="a session that was printed")
    given = parser.parse_args()
    if given.replay is not None:
        names = {
            **vars(np),
            **vars(fuzzing.arrays),
            **vars(fuzzing.odd),
            **vars(fuzzing.things),
            "np": np,
        }
        session.replay(eval(given.replay.read_text(), names))
        return 0
    seed = int(time.time()) if given.seed is None else given.seed
    failed = False
    for name in given.fuzzer:
        began = time.monotonic()
        counts, found = fuzz(name, 60 * given.minutes, given.processes, seed)
        took = time.monotonic() - began
        print(
            f"{name}: {counts['calls']} calls in {took:.0f} s, {len(found)} findings "
            f"({counts['seeds']} seeds from {(seed, 0, 0)} on)"
        )
        print(json.dumps(counts, sort_keys=True))
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
