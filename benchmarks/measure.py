"""Interleaved timing: in each round everyone has a turn, in an order that moves on."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

#: A turn takes about this long, in seconds: many steps where they are short.
TURN = 0.005
#: Before a turn, until the threads of the one before have stopped spinning.
SETTLE = 0.01
#: Samples that nobody has less of, and rounds that nobody has more of.
LEAST, MOST = 5, 60


@dataclass
class Turn:
    """Who is measured: `prepare` is not timed, `step(grads)` is."""

    prepare: Callable[[], None]
    step: Callable[[Any], object]
    grads: Any
    #: Called before each step, and not timed either.
    renew: Callable[[], object] | None = None
    #: Seconds per step, by round.
    samples: list[float] = field(default_factory=list)
    #: Steps in a turn, known after the first.
    steps: int = 1
    spent: float = 0.0

    def take(self) -> None:
        begin = time.perf_counter()
        self.prepare()
        time.sleep(SETTLE)
        # Untimed: the arrays come back into the cache, and threads awake.
        warm = self._time(max(1, self.steps // 4))
        if not self.samples:
            # The very first step tells little of those that follow it.
            warm = self._time(max(1, round(TURN / 4 / warm)))
            self.steps = max(1, round(TURN / warm))
        self.samples.append(self._time(self.steps))
        self.spent += time.perf_counter() - begin

    def _time(self, steps: int) -> float:
        step, grads = self.step, self.grads
        if self.renew is not None:
            return self._time_each(self.renew, steps)
        begin = time.perf_counter()
        for _ in repeat(None, steps):
            step(grads)
        return (time.perf_counter() - begin) / steps

    def _time_each(self, renew: Callable[[], object], steps: int) -> float:
        """The clock is read twice a step here: some 50 ns that everyone has on top."""
        step, grads, spent = self.step, self.grads, 0.0
        for _ in repeat(None, steps):
            renew()
            begin = time.perf_counter()
            step(grads)
            spent += time.perf_counter() - begin
        return spent / steps


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def interleave(turns: Sequence[Turn], seconds: float) -> None:
    """Take rounds for about `seconds`; whoever has had its share is left out of later ones."""
    share = seconds / max(1, len(turns))
    with _no_collection():
        for number in range(MOST):
            first = number % max(1, len(turns))
            for turn in (*turns[first:], *turns[:first]):
                if number < LEAST or turn.spent < share:
                    turn.take()


def quartiles(samples: Sequence[float]) -> tuple[float, float, float]:
    first, median, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, median, third
