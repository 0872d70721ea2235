"""``python -m benchmarks``: measures, prints tables, writes JSON."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import fit, machine, memory, peers, report, run
from benchmarks.cases import AnyCase, Case, cases, chosen, with_peers
from benchmarks.peers import AbsentError
from benchmarks.results import CaseFound, Run

#: What --quick makes of the larger cases, and of the time for one.
QUICK_VALUES, QUICK_SECONDS = 200_000, 0.2

console = Console()


def main(
    case: Annotated[
        list[str] | None, typer.Option(help="Only cases with this in group or name; repeatable.")
    ] = None,
    peer: Annotated[
        list[str] | None, typer.Option(help="Only this peer beside our own; repeatable.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="About how long a case is measured.")] = 6.0,
    most: Annotated[int, typer.Option(min=1000, help="The most values of a case.")] = 10**9,
    json: Annotated[Path | None, typer.Option(help="Where to write the results.")] = None,
    quick: Annotated[bool, typer.Option(help="A smoke run: small and short.")] = False,
    names: Annotated[bool, typer.Option("--list", help="List the cases and end.")] = False,
) -> None:
    """Measure ferrostep beside the floor and its peers, after comparing their answers."""
    for name in set(peer or ()) - set(peers.PEERS):
        raise typer.BadParameter(f"no peer is called {name!r}; there are {', '.join(peers.PEERS)}")
    place = machine.describe()
    table = chosen(cases(place["threads"]), case or [])
    if peer is not None:
        table = with_peers(table, peer)
    if not table:
        raise typer.BadParameter(f"no case has {case!r} in its name; --list shows them")
    if names:
        for one in table:
            console.print(f"{one.group}: {one.name}", highlight=False)
        return
    if quick:
        most, seconds = min(most, QUICK_VALUES), min(seconds, QUICK_SECONDS)
    found = Run(place, *_versions(table))
    report.head(console, found)
    for number, one in enumerate(table, 1):
        with console.status(f"{number} of {len(table)}: {one.name}"):
            done = _measure(one, place["threads"], most, seconds)
        found.cases.append(done)
        report.case(console, done)
        if json is not None:
            found.save(json)  # after each case: a run that is cut off keeps what it measured
    report.goals(console, found)


def _measure(one: AnyCase, threads: int, most: int, seconds: float) -> CaseFound:
    gc.collect()  # the memory of the case before is free again
    small = fit.fitted(one, most)
    if isinstance(small, Case):
        return run.run(small, one.values, seconds)
    return memory.run(small, one.values, threads)


def _versions(table: list[AnyCase]) -> tuple[dict[str, str], dict[str, str]]:
    versions, absent = {}, {}
    wanted = {entry.peer for one in table if isinstance(one, Case) for entry in one.entries}
    for label in (label for label in peers.PEERS if label in wanted):
        try:
            versions[label] = peers.load(label).version()
        except AbsentError as error:
            absent[label] = str(error)
    return versions, absent


if __name__ == "__main__":
    # Other libraries' notices about accelerators that are not here.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    typer.run(main)
