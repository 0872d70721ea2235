"""Writes what the storage kinds cost: ``python -m ferrostep demo --storage docs/storage.md``."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np

import ferrostep as fs
from ferrostep.demo.storage import KINDS, SEEDS, Result, Row, rows

PAGE = """# What 16 bits cost

Written by `make storage`; not edited by hand.

The network of `make demo` (64-128-64-10, handwritten digits) trained {epochs} epochs with each
optimizer of the lecture, at the demo's batches and learning rates, in each storage kind: a column
is the dtype of the parameters + the dtype of the state. The forward and backward pass run in
float32 on widened parameters, the gradients are handed over in the dtype of the parameters, and
ferrostep computes in float32 whatever the arrays are stored in. Averages over {seeds} seeds;
"diverged" where one of them ended in NaN or infinity.

- machine: {machine}
- versions: {versions}
- date: {date}
- command: `{blas}python -m ferrostep demo --storage docs/storage.md --epochs {epochs}` (the
  last digits depend on how NumPy's BLAS splits its sums)

## Final training loss

{losses}

## Test accuracy

{accuracies}

## What the last step left unchanged

Share of the parameters' values whose bits the last step did not change.

{still}

## Bytes of parameters and state

{bytes}

## What is lost, and where

**Parameters.** bfloat16 has 8 significant bits: a step smaller than about 1/512 to 1/256 of a
weight rounds back to the weight. Late in training most steps are smaller than that, so most
weights stand still (third table) and the loss stays higher with every optimizer, up to seven times
with Adam, whatever the state is stored in; a schedule that lowers the rate to 0 stops them all
before it gets there. float16 has three bits more and loses less here, but it ends at 65504, and
gradients below 3e-8 become 0. The test accuracy of this small task hardly shows any of it: the
loss does. There is no stochastic rounding, which would let small steps through on average.

**State.** Halved to bfloat16 it costs little or nothing here but for Adam, whose loss is up to a
quarter higher: `v` loses 0.1 % per step at the default `betas`, less than half a unit in the last
place, so it can grow but not shrink, and steps get a little too small. float16 state suits
velocities, but not the averages of squares in Adam as it stands: `(1 - b2)*g**2` is stored as 0
for gradients below about 5e-3, so `v` forgets all but the gradient of the step itself. Steps get
30 times too large, and far larger where that gradient happens to be small and the divisor little
more than `eps`. `eps=1e-4` bounds them here; it is a remedy to be tried on each task, while
bfloat16 has float32's range and needs none. RMSProp, which keeps a tenth of each square, gets by
with float16 at twice the loss.

**Recommended:** parameters in float32, and `state_dtype="bfloat16"` where memory or its traffic
counts. 16-bit parameters are for updating arrays that are in that dtype anyway.
"""


def table(made: list[Row], cell: Callable[[Result], str]) -> str:
    """Return optimizers by kinds in Markdown."""
    lines = [["optimizer", *map(str, KINDS)], ["---", *["---:"] * len(KINDS)]]
    lines += [[name, *map(cell, results)] for name, results in made]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    """Return its name where Linux tells it, else the architecture."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


def page(made: list[Row], epochs: int) -> str:
    """Return the document: where the numbers come from, the tables, what they say."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    return PAGE.format(
        blas=f"OPENBLAS_NUM_THREADS={threads} " if threads else "",
        epochs=epochs,
        seeds=len(SEEDS),
        machine=f"{processor()}, {platform.system()}",
        versions=f"CPython {platform.python_version()}, NumPy {np.__version__}, "
        f"ml_dtypes {ml_dtypes.__version__}, ferrostep {fs.__version__}",
        date=time.strftime("%Y-%m-%d"),
        losses=table(made, lambda r: f"{r.loss:.1e}" if math.isfinite(r.loss) else "diverged"),
        accuracies=table(made, lambda r: f"{r.accuracy:.1%}"),
        still=table(made, lambda r: f"{r.still:.0%}"),
        bytes=table(made, lambda r: f"{r.bytes:,}"),
    )


def write(path: Path, epochs: int) -> None:
    """Train it all, print the losses as they come, write the page."""
    print(f"{'':<20}", *(f"{kind.params:>9}" for kind in KINDS))
    print(f"{'final loss, state in':<20}", *(f"{kind.state:>9}" for kind in KINDS))
    made = []
    for name, results in rows(epochs):
        print(f"{name:<20}", *(f"{r.loss:9.1e}" for r in results), flush=True)
        made.append((name, results))
    path.write_text(page(made, epochs), encoding="utf-8")
    print(f"saved {path}")
