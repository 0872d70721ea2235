"""torch.optim on the CPU: as it comes, over lists of tensors, and fused."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Setting

CLASSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "Adam": (torch.optim.Adam, {"lr": 1e-3}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 1e-2}),
    "Momentum": (torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9}),
}


class Default:
    tolerance = 1e-5
    arrays = 8
    implementation: dict[str, Any] = {}  # noqa: RUF012

    def version(self) -> str:
        return str(torch.__version__)

    def set_threads(self, n: int) -> None:
        torch.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer not in CLASSES or problem.options:
            raise NotOfferedError(f"torch's {problem.optimizer} is not compared")
        cls, options = CLASSES[problem.optimizer]
        params = [torch.from_numpy(p).requires_grad_() for p in setting.params()]
        for p, g in zip(params, setting.grads, strict=True):
            # Clipping writes the gradients: then they are a copy.
            p.grad = torch.from_numpy(g if problem.max_norm is None else g.copy())
        try:
            optimizer = cls(params, **options, **self.implementation)
        except (TypeError, RuntimeError) as error:
            raise NotOfferedError(str(error)) from error

        def step(_: object) -> None:
            if problem.max_norm is not None:
                torch.nn.utils.clip_grad_norm_(params, problem.max_norm)
            optimizer.step()

        return Contender(step, None, lambda: [p.detach().numpy() for p in params])


class Foreach(Default):
    implementation = {"foreach": True}  # noqa: RUF012


class Fused(Default):
    arrays = 4
    implementation = {"fused": True}  # noqa: RUF012
