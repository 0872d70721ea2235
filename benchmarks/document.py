"""Writes docs/benchmarks.md, its pictures and README's figures from the JSON of a run:
``python -m benchmarks.document docs/benchmarks.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import plots, results, tables
from benchmarks.results import Run

#: README's figures stand between these lines.
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"
README_PEERS = ("ferrostep", "floor", "torch fused", "torch", "numba", "NumPy")
IN_TORCH = "`ferrostep.compat.torch` on tensors, with gradients made anew at each step:"

PAGE = """# Benchmarks

Written by `make bench` from `{json}`; not edited by hand.

{machine}

All of a case is measured in one process, in interleaved rounds, after the answers have been
compared: a cell is the median of the rounds. The floor is a loop over the very arrays of
ferrostep's step, with the same streams read and written on the same threads, and almost no
arithmetic; the empty call is a native method of the same arguments that does nothing. The peers'
parameters lie in memory that NumPy allocated, as ours do. A ratio is of times: above 1 is slower
than the first line or column.

## Ratios to reach

How many times as fast (or as small) the first must be.

{goals}

## Beside the floor and the peers

float32, all threads. NumPy is what people write by hand, on temporaries; "with buffers" is the best
that one can write, in blocks that stay in the cache.

{peers}

![time per parameter over size](benchmarks-sizes.svg)

{absent}

## In the place of torch's

float32, all threads where no other number is given: the classes of `ferrostep.compat.torch` beside
those of `torch.optim` with the same names, each with torch's defaults. Before each step, untimed,
every parameter gets its gradient in a new tensor, as from a `backward`. Whole runs of training are
in [reinforcement.md](reinforcement.md).

{torch}

## Every optimizer beside its floor

Time of a step on 100,000,000 values, and in brackets how much of its floor it reaches.

{optimizers}

![share of the floor per optimizer](benchmarks-floor.svg)

## One thread and two

Adam, float32, one array, in cache as far as it fits.

{threads}

## The rest

{rest}

{errors}
"""


def page(run: Run, json: str) -> str:
    by_group = {
        group: [case for case in run.cases if case.group == group]
        for group in dict.fromkeys(case.group for case in run.cases)
    }
    own_tables = ("peers", "torch", "optimizers", "threads")
    rest = [case for case in run.cases if case.group not in own_tables]
    return PAGE.format(
        json=json,
        machine=_machine(run),
        goals=tables.goals(run),
        peers=tables.peers(run),
        absent=_absent(run),
        torch=tables.in_torch(run),
        optimizers=tables.optimizers(run),
        threads=tables.sweep(by_group.get("threads", [])),
        rest="\n\n".join(map(tables.lines, rest)),
        errors=_errors(run),
    )


def _machine(run: Run) -> str:
    facts = [f"- {name.replace('_', ' ')}: {_plain(value)}" for name, value in run.machine.items()]
    versions = ", ".join(f"{label} {version}" for label, version in run.versions.items())
    return "\n".join([*facts, f"- measured: {versions}"])


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {size}" for name, size in value.items())
    return str(value)


def _absent(run: Run) -> str:
    return "\n".join(f"Absent: {label} ({reason})." for label, reason in run.absent.items())


def _errors(run: Run) -> str:
    found = [
        f"- {case.name}, {line.label}: {line.error}"
        for case in run.cases
        for line in case.found
        if line.error is not None and line.label not in run.absent
    ]
    return "\n".join(["What could not run:", "", *found]) if found else ""


def figures(run: Run) -> str:
    """README's table and where it comes from."""
    machine = run.machine
    source = (
        f"Time per step (median) and how many times ferrostep's. {machine['processor']} "
        f"({machine['family']}), {machine['threads']} threads, {machine['tier']}; CPython "
        f"{machine['python']}, NumPy {machine['numpy']}, ferrostep {machine['ferrostep']}; "
        f"{machine['date'][:10]}; `make bench`, all of it in [docs/benchmarks.md]"
        "(docs/benchmarks.md)."
    )
    parts = source, tables.peers(run, README_PEERS), IN_TORCH, tables.in_torch(run)
    return "\n\n".join(parts)


def with_figures(readme: str, run: Run) -> str:
    before, found, rest = readme.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"README has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{figures(run)}\n{END}{after}"


def main(
    json: Annotated[Path, typer.Argument(help="The results of a run.")],
    readme: Annotated[Path | None, typer.Option(help="Whose figures to replace.")] = None,
) -> None:
    """Write the page and its pictures beside the results."""
    run = results.load(json)
    plots.time_per_value(run, json.parent / "benchmarks-sizes.svg")
    plots.share_of_floor(run, json.parent / "benchmarks-floor.svg")
    (json.parent / "benchmarks.md").write_text(page(run, json.name))
    if readme is not None:
        readme.write_text(with_figures(readme.read_text(), run))


if __name__ == "__main__":
    typer.run(main)
