"""torch's recorded runs, `tests/vectors/`, through the classes that stand in torch's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from beside import OURS, remembered
from support.arrays import Array
from support.recorded import KNOWN, Case, check, replay, title


class Adapter:
    """Runs a case on torch tensors of the case's arrays."""

    def __init__(self, name: str, options: Mapping[str, Any], parameters: Sequence[Array]) -> None:
        self.arrays, self.numbers = [*parameters], {"step", *remembered(name)}
        self.parameters = [torch.from_numpy(p).requires_grad_() for p in parameters]
        self.optimizer = OURS[name](self.parameters, **options)

    def step(self, grads: Sequence[Array | None], lr: float) -> Sequence[Array]:
        self.optimizer.param_groups[0]["lr"] = lr
        for p, g in zip(self.parameters, grads, strict=True):
            p.grad = None if g is None else torch.from_numpy(g)
        self.optimizer.step()
        return self.arrays

    def state(self, i: int) -> Mapping[str, Any]:
        state = self.optimizer.state[self.parameters[i]]
        return {n: x.item() if n in self.numbers else np.asarray(x) for n, x in state.items()}


@pytest.mark.parametrize("case", KNOWN, ids=title)
def test_recorded(case: Case) -> None:
    check(case, replay(case, Adapter))
