"""The tables of a run in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.goals import reached
from benchmarks.results import CaseFound, Found, Run
from benchmarks.text import amount, goal_text, ratio_text, spread, times

STYLES = {"reached": "green", "short": "bold red", "not measured": "yellow", "smaller": "dim"}

#: A load from which on other work disturbs the figures.
BUSY = 0.5


def head(console: Console, run: Run) -> None:
    for name, value in run.machine.items():
        console.print(f"{name.replace('_', ' '):<12}{value}", highlight=False, markup=False)
    if run.machine["load"] > BUSY:
        console.print("[bold red]the machine is busy with other work: these figures are noise[/]")
    for label, reason in run.absent.items():
        console.print(f"[yellow]absent: {escape(label)}[/]: {escape(reason)}", highlight=False)


def case(console: Console, found: CaseFound) -> None:
    title = f"{found.group}: {found.name}"
    if found.values < found.wanted:
        title += f", at {found.values:,} of {found.wanted:,} values"
    table = Table("", "median", "quartiles", "", "threads", "samples", title=escape(title))
    table.title_justify = "left"
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    table.columns[0].justify = "left"
    first = found.found[0]
    for line in found.found:
        if line.median is not None:
            table.add_row(*map(escape, _cells(line, first)))
    if table.rows:
        console.print(table)
    for line in found.found:
        if line.error is not None:
            console.print(
                f"[yellow]cannot run: {escape(line.label)}[/]: {escape(line.error)}",
                highlight=False,
            )


def _cells(line: Found, first: Found) -> list[str]:
    return [
        line.label,
        amount(line.median, line.unit),
        spread(line),
        "" if line is first else times(line.median, first.median),
        str(line.threads),
        str(line.samples or ""),
    ]


def goals(console: Console, run: Run) -> None:
    """The goals of the cases of this run."""
    table = Table("ratios to reach", "wanted", "reached", "")
    for one in reached(run):
        if run.case(one.goal.case) is None:
            continue
        style = STYLES[one.verdict]
        table.add_row(
            escape(f"{one.goal.case}\n  {goal_text(one.goal)}"),
            f"{one.goal.ratio:.2f}",
            ratio_text(one),
            f"[{style}]{one.verdict}[/]",
        )
    if table.rows:
        console.print(table)
