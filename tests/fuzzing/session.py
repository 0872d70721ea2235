"""A session on two worlds: made, compared after every call, and shortened when they differ."""

from __future__ import annotations

import warnings
from collections import Counter
from random import Random
from typing import Any

import numpy as np

import ferrostep as fs
from ferrostep import _native
from fuzzing.calls import Caller
from fuzzing.compare import equal, frozen
from fuzzing.world import World

Session = list[tuple[Any, ...]]
LENGTH = 80


class Found(AssertionError):
    """What must not be, with the session that led to it."""

    def __init__(self, message: str, session: Session) -> None:
        super().__init__(message)
        self.session = session


class Pair:
    """The two worlds."""

    def __init__(self, counts: Counter[str]) -> None:
        self.core, self.reference = World(None), World("reference")
        self.counts = counts
        self.session: Session = []
        self.before = frozen(self.core.holdings()), frozen(self.reference.holdings())

    def call(self, call: tuple[Any, ...]) -> None:
        """Make a call on both and compare."""
        self.session.append(call)
        options = self.core.options()
        try:
            found, wanted = self.core.call(call), self.reference.call(call)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise Found(f"{type(error).__name__}: {error}", self.session) from error
        # Each world was called.
        self.counts["calls"] += 2
        self.counts[f"{call[0]} {found[0]}"] += 1
        if found != wanted:
            raise Found(f"the core: {found}\nthe reference: {wanted}", self.session)
        if found[0] == "refused" and call[0] in ("look", "array", "reset"):
            raise Found(f"{call} must not fail, but: {found}", self.session)
        mine, theirs = self.core.holdings(), self.reference.holdings()
        if not equal(mine, theirs):
            raise Found(f"after {call}: the worlds hold other bits", self.session)
        now = frozen(mine), frozen(theirs)
        # A gradient that makes calls of its own may have changed something before the refusal.
        if found[0] == "refused" and "Sneaky" not in repr(call):
            for before, after, who in zip(self.before, now, ("core", "reference"), strict=True):
                if before != after:
                    raise Found(f"{call} was refused by the {who}, but has written", self.session)
            if options != self.core.options():
                raise Found(f"{call} was refused, but has changed the groups", self.session)
        self.before = now


def run(seed: Any, counts: Counter[str], length: int = LENGTH) -> None:
    """One random session."""
    caller = Caller(Random(repr(seed)))
    pair = Pair(counts)
    with settings():
        for _ in range(length):
            pair.call(caller.next(pair.core))


def replay(session: Session) -> None:
    """A recorded session; calls on what a shortened one never made are left out."""
    pair = Pair(Counter())
    with settings():
        for call in session:
            if (
                call[0]
                in (
                    "step",
                    "again",
                    "update",
                    "option",
                    "edit",
                    "add",
                    "load",
                    "copied",
                    "rebind",
                    "replace",
                    "remove",
                    "interrupted",
                    "raced",
                    "snapshot",
                    "reset",
                    "schedule",
                    "look",
                )
                and pair.core.optimizers[call[1]] is None
            ):
                continue
            if call[0] == "load" and pair.core.optimizers[call[2]] is None:
                continue
            pair.call(call)


def shortened(found: Found) -> Found:
    """The same failure from as few calls as leaving them out one by one comes to."""
    again = True
    while again:
        again = False
        for i in reversed(range(len(found.session))):
            try:
                replay(found.session[:i] + found.session[i + 1 :])
            except Found as shorter:
                found, again = shorter, True
                break
    return found


def script(session: Session) -> str:
    """The session as text that `--replay` reads."""
    return "[\n" + "".join(f"    {call!r},\n" for call in session) + "]\n"


class settings:
    """Threads and tier as they were; what NumPy warns of is no business of the fuzzer's."""

    def __enter__(self) -> None:
        self.threads, self.tier = fs.get_num_threads(), _native.simd_tier()
        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        warnings.simplefilter("ignore")
        self.errors = np.errstate(all="ignore")
        self.errors.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.errors.__exit__(*error)
        self.warnings.__exit__(*error)
        fs.set_num_threads(self.threads)
        _native.set_simd_tier(self.tier)
