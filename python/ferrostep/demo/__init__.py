"""The lecture's optimizers on real data: ``python -m ferrostep demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

EXTRA = {
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "ml_dtypes": "ml_dtypes",
    "rich": "rich",
}


def require_extra() -> None:
    """Raise ImportError if one of the packages that the demo needs is not installed."""
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        raise ImportError(
            f"the demo needs {', '.join(missing)}; pip install 'ferrostep[demo]'"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Train with every optimizer, print a table, save three pictures; or compare storage kinds."""
    parser = argparse.ArgumentParser(prog="ferrostep demo", description=main.__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="for the pictures")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the data (40)")
    parser.add_argument(
        "--storage",
        type=Path,
        metavar="PAGE",
        help="train in every storage kind instead, and write this page (some minutes)",
    )
    arguments = parser.parse_args(argv)
    if arguments.epochs < 1:
        parser.error(f"--epochs must be at least 1, found {arguments.epochs}")
    require_extra()
    page = arguments.storage
    try:  # before the training, not after it
        (page.parent if page else arguments.output).mkdir(parents=True, exist_ok=True)
        if page:
            page.open("a").close()
    except OSError as error:
        parser.error(f"{page or arguments.output}: {error.strerror}")
    if page:
        from ferrostep.demo import storage_page

        storage_page.write(page, arguments.epochs)
        return 0
    from ferrostep.demo import pictures, report, train, tuning, valley

    contestants, epochs = train.contestants(), arguments.epochs
    runs = report.with_progress(contestants, epochs)
    report.table(runs)
    tuned = report.tuned(contestants, half := -(-epochs // 2))
    print(tuning.conclusion(tuned))
    for path in (
        pictures.losses(runs, arguments.output / "losses.png"),
        pictures.tuning(tuned, arguments.output / "tuning.png", half),
        valley.valley(arguments.output / "valley.png"),
    ):
        print(f"saved {path}")
    return 0 if all(run.same_bits for run in runs) else 1
