"""Run the suites of the libraries that are named, or of all: `python -m peers [keras ...]`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from peers.suite import run

#: Modules here, each with its ``SUITES``.
LIBRARIES: tuple[str, ...] = ("keras", "numbers", "sklearn", "thinc")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="*", choices=[*LIBRARIES, []])
    wrong = []
    lines = []
    for library in parser.parse_args().libraries or LIBRARIES:
        for suite in import_module(f"peers.{library}").SUITES:
            found = run(suite)
            wrong += [f"{suite.name}: {line}" for line in found.unexpected(suite)]
            counts = ", ".join(f"{n} {kind}" for kind, n in sorted(found.counts.items()))
            lines.append(f"{suite.name}: {counts}")
            lines += [f"    skipped {n}: {why}" for why, n in found.skipped.items()]
    print("\n".join([*lines, *(f"WRONG {line}" for line in wrong)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
