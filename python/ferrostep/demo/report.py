"""What the demo shows in the terminal: a progress bar, then a table."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ferrostep.demo.train import TARGET, Contestant, Run, train
from ferrostep.demo.tuning import RATES, Tuned, tune


def with_progress(contestants: list[Contestant], epochs: int) -> list[Run]:
    columns = (TextColumn("{task.description:<20}"), BarColumn(), TextColumn("{task.fields[now]}"))
    runs = []
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task("", total=len(contestants) * epochs, now="")
        for contestant in contestants:
            for run in train(contestant, epochs):
                now = f"loss {run.losses[-1]:.4f}"
                progress.update(task, advance=1, description=contestant.name, now=now)
            runs.append(run)
    return runs


def tuned(contestants: list[Contestant], epochs: int) -> list[Tuned]:
    columns = (TextColumn("{task.description:<30}"), BarColumn(), TextColumn("{task.fields[now]}"))
    found = []
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task("", total=len(contestants) * len(RATES), now="")
        for contestant in contestants:
            trained = []
            for at_rate in tune(contestant, epochs):
                now = f"loss {at_rate.loss:.4f}"
                what = f"{contestant.name} at {at_rate.rate:g}"
                progress.update(task, advance=1, description=what, now=now)
                trained.append(at_rate)
            found.append(Tuned(contestant.name, tuple(trained)))
    return found


def table(runs: list[Run]) -> None:
    # Eighty columns must do: a pipe has no more, and rich would cut the figures short.
    title = "Handwritten digits, 64-128-64-10 network in NumPy, float32"
    made = Table(title=title, box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    made.add_column("optimizer", no_wrap=True)
    headers = ("test", "loss", f"{TARGET:.0%} at\nepoch", "step\n(us)", "by hand\n(us)", "ratio")
    for header in (*headers, "bits"):
        made.add_column(header, justify="right", no_wrap=True)
    for run in runs:
        epochs = run.epochs_to_target
        made.add_row(
            run.name,
            f"{run.accuracies[-1]:.1%}",
            f"{run.losses[-1]:.1e}",
            "never" if epochs is None else str(epochs),
            f"{run.ours / run.steps * 1e6:.1f}",
            f"{run.by_hand / run.steps * 1e6:.1f}",
            f"{run.by_hand / run.ours:.1f}x",
            "same" if run.same_bits else "DIFFER",
        )
    Console().print(made)
