"""README's table of classes: state, its bytes and the source are made from the classes.

``cd tests && ../.venv/bin/python -m support.classes`` writes it. What a class does is written by
hand, in the row's second cell; a class without a row gets one with its docstring's first line.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import numpy as np

import ferrostep as fs
from cases import EVERY_CASE
from ferrostep import optimizers
from support.presets import README, between, replace

MARKS = (
    "<!-- classes: cd tests && ../.venv/bin/python -m support.classes -->\n",
    "<!-- end of classes -->\n",
)
#: Every class, each once whatever other spellings it has.
CLASSES = list(dict.fromkeys(getattr(optimizers, name) for name in optimizers.__all__))
#: Rows and columns of the float32 matrix whose state is counted.
SIDE = 1024


def updates(text: str) -> dict[str, str]:
    """Return what each class does, as it stands in a table, in the table's order."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.M)
    every = {cls.__name__: summary(cls) for cls in CLASSES}
    kept = {name: told for name, told in rows if name in every}
    return kept | {name: told for name, told in every.items() if name not in kept}


def summary(cls: type[fs.Optimizer]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0].rstrip(".")


def table(text: str) -> str:
    """Return the table, with what the one that there is says of each class."""
    lines = ["| class | update | state | bytes | source |", "|---|---|---|---|---|"]
    for name, told in updates(text).items():
        cls = getattr(fs, name)
        found = [*states(cls)]
        every = list(dict.fromkeys(state for sizes in found for state in sizes))
        plain = found[0]
        shown = ", ".join(f"`{state}`" if state in plain else f"(`{state}`)" for state in every)
        totals = sorted({sum(sizes.values()) for sizes in found})
        bytes = " to ".join(f"{total:.2g}" for total in dict.fromkeys((totals[0], totals[-1])))
        lines.append(f"| `{name}` | {told} | {shown} | {bytes} | {source(cls)} |")
    return "".join(f"{line}\n" for line in lines)


def states(cls: type[fs.Optimizer]) -> Iterator[dict[str, float]]:
    """Yield the state of each of a class' cases, in bytes for a parameter; numbers take none."""
    for case in EVERY_CASE:
        if case.optimizer.__name__ == cls.__name__ and "state_dtype" not in case.options:
            opt = case.make([np.zeros((SIDE, SIDE), np.float32)])
            opt.init_state()
            found = {n: x for n, x in opt.state.get(0, {}).items() if n != "step"}
            yield {n: x.nbytes / SIDE**2 if np.ndim(x) else 0.0 for n, x in found.items()}


def source(cls: type[fs.Optimizer]) -> str:
    """Return the first of a docstring's references: of more than two authors, the first."""
    text = " ".join((inspect.getdoc(cls) or "").partition("References\n----------\n")[2].split())
    first = re.split(r"; | Examples -|\.$", text.removesuffix("."))[0].rstrip(".")
    known = re.match(r"([^()\d]+) (\d{4})\b", first)
    if not known:
        return first
    authors = re.split(r", | & | et al", known[1])
    told = known[1] if len(authors) < 3 and "et al" not in known[1] else f"{authors[0]} et al."
    link = re.search(r"arXiv:(\d+\.\d+)", first)
    label = f"{told} {known[2]}"
    return f"[{label}](https://arxiv.org/abs/{link[1]})" if link else label


def write() -> None:
    replace(README, MARKS, table(between(README.read_text(), MARKS)))


if __name__ == "__main__":
    write()
