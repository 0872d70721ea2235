"""Optimizers around another, with all else that it has: groups, state, files, schedules."""

from ferrostep.wrappers.accumulator import Accumulator
from ferrostep.wrappers.lookahead import Lookahead

__all__ = ["Accumulator", "Lookahead"]
