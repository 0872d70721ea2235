"""The lecture's optimizers on real data: ``python -m ferrostep demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

EXTRA = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "rich": "rich"}


def require_extra() -> None:
    """Raise ImportError if one of the packages that the demo needs is not installed."""
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        raise ImportError(
            f"the demo needs {', '.join(missing)}: pip install 'ferrostep[demo]'"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Train with every optimizer, print a table, save two pictures."""
    parser = argparse.ArgumentParser(prog="python -m ferrostep demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="for the pictures")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the data (40)")
    arguments = parser.parse_args(argv)
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    require_extra()
    try:  # before the training, not after it
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output {arguments.output}: {error.strerror}")
    from ferrostep.demo import pictures, report, train

    runs = report.with_progress(train.contestants(), arguments.epochs)
    report.table(runs)
    for path in (
        pictures.losses(runs, arguments.output / "losses.png"),
        pictures.valley(arguments.output / "valley.png"),
    ):
        print(f"saved {path}")
    return 0 if all(run.same_bits for run in runs) else 1
