"""Schedules that are a multiple of the initial rate, known for every epoch."""

from __future__ import annotations

from ferrostep.schedulers.base import LRScheduler


class ByFactor(LRScheduler):
    """``base_lr * factor(epoch)``: nothing of the rate that the group holds is carried on."""

    def _factor(self, epoch: int) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        factor = self._factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]


def warmed(epoch: int, steps: int, start: float) -> float:
    """Return the multiple on a straight line from `start` to 1 in so many steps."""
    return start + (1.0 - start) * (epoch / steps)
