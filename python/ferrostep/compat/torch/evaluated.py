"""Classes whose parameters are one point while they train, and another to evaluate with."""

from __future__ import annotations

from torch.autograd.graph import increment_version

from ferrostep.compat.torch.memory import on_streams_of
from ferrostep.compat.torch.optimizer import TorchOptimizer


class EvaluatedOptimizer(TorchOptimizer):
    """What schedule-free classes have beside the others: see `ferrostep.ScheduleFreeSGD`."""

    def eval(self) -> None:
        """Put the average into the parameters, to evaluate or save the model with."""
        self._turn(averaged=True)

    def train(self) -> None:
        """Put back what is trained."""
        self._turn(averaged=False)

    def _turn(self, averaged: bool) -> None:
        inner = self._looked()
        if inner.core is None:
            return
        with on_streams_of(inner.tensors):
            inner.core._turn(averaged)  # type: ignore[attr-defined]
        increment_version(inner.tensors)
