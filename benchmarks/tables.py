"""The tables of docs/benchmarks.md, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.cases import TORCH, TORCH_ALONE
from benchmarks.goals import reached
from benchmarks.peers import PEERS
from benchmarks.results import CaseFound, Run
from benchmarks.text import amount, goal_text, ratio_text, spread, times


@dataclass(frozen=True)
class Share:
    """What part of the floor an optimizer reaches."""

    optimizer: str
    dtype: str
    threads: int
    time: float
    share: float


def shares(run: Run) -> Iterator[Share]:
    for case in run.cases:
        if case.group != "optimizers":
            continue
        name = case.name.rpartition(f" 1 x {case.wanted:,}")[0]
        optimizer, _, dtype = name.rpartition(" ")
        for line in case.found:
            floor = case.median(line.label.replace("ferrostep", "floor"))
            if line.label.startswith("ferrostep") and line.median and floor:
                yield Share(optimizer, dtype, line.threads, line.median, floor / line.median)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals(run: Run) -> str:
    rows = [
        [
            one.goal.case,
            goal_text(one.goal),
            f"{one.goal.ratio:.2f}",
            ratio_text(one),
            f"**{one.verdict}**" if one.verdict == "short" else one.verdict,
        ]
        for one in reached(run)
    ]
    return markdown(["case", "which", "wanted", "reached", ""], rows)


def peers(run: Run, labels: Sequence[str] = tuple(PEERS)) -> str:
    """Everyone's time for each case, and how many times ours that is."""
    return _beside(run, "peers", labels)


def in_torch(run: Run) -> str:
    """The same of our classes in the place of torch's."""
    return _beside(run, "torch", ("ferrostep", *TORCH, *TORCH_ALONE))


def _beside(run: Run, group: str, labels: Sequence[str]) -> str:
    cases = [case for case in run.cases if case.group == group]
    shown = [label for label in labels if any(case.median(label) is not None for case in cases)]
    rows = []
    for case in cases:
        ours = case.median("ferrostep")
        cells = [case.name + _fewer(case)]
        for label in shown:
            median = case.median(label)
            ratio = times(median, ours) if label not in ("ferrostep", "empty call") else ""
            cells.append(amount(median, "s") + (f" ({ratio})" if ratio else ""))
        rows.append(cells)
    return markdown(["", *shown], rows)


def optimizers(run: Run) -> str:
    found = list(shares(run))
    columns = sorted({(row.dtype, row.threads) for row in found})
    cells = {(row.optimizer, row.dtype, row.threads): row for row in found}
    rows = []
    for name in dict.fromkeys(row.optimizer for row in found):
        here = [cells.get((name, *column)) for column in columns]
        shown = [f"{amount(row.time, 's')} ({row.share:.2f})" if row else "" for row in here]
        rows.append([name, *shown])
    heads = [f"{dtype}, {n} {'thread' if n == 1 else 'threads'}" for dtype, n in columns]
    return markdown(["", *heads], rows)


def lines(case: CaseFound) -> str:
    """One case with its spread."""
    first = case.found[0]
    rows = [
        [
            line.label,
            amount(line.median, line.unit) if line.error is None else "cannot run",
            spread(line),
            "" if line is first else times(line.median, first.median),
        ]
        for line in case.found
    ]
    return markdown([case.name + _fewer(case), "median", "quartiles", ""], rows)


def sweep(cases: Sequence[CaseFound]) -> str:
    """Cases that differ by size alone, a row for each."""
    labels = list(dict.fromkeys(line.label for case in cases for line in case.found))
    rows = [
        [f"{case.values:,}", *(amount(case.median(label), "s") for label in labels)]
        for case in cases
    ]
    return markdown(["values", *labels], rows)


def _fewer(case: CaseFound) -> str:
    return f" (at {case.values:,} values)" if case.values < case.wanted else ""
