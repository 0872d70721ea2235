"""torch.optim on the CPU: as it comes, over lists of tensors, and fused."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Setting

#: By optimizer the name of torch's class and the options that make its formula ours.
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "Adam": ("Adam", {"lr": 1e-3}),
    "AdamW": ("AdamW", {"lr": 1e-3}),
    "RMSprop": ("RMSprop", {"lr": 1e-2}),
    "Adadelta": ("Adadelta", {"lr": 1.0}),
    "Rprop": ("Rprop", {"lr": 1e-2}),
    "Momentum": ("SGD", {"lr": 1e-2, "momentum": 0.9}),
}


class Default:
    tolerance = 1e-5
    arrays = 8
    #: Where the classes are.
    module: Any = torch.optim
    implementation: dict[str, Any] = {}  # noqa: RUF012

    def version(self) -> str:
        return str(torch.__version__)

    def set_threads(self, n: int) -> None:
        torch.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer not in CLASSES or problem.options:
            raise NotOfferedError(f"torch's {problem.optimizer} is not compared")
        name, options = CLASSES[problem.optimizer]
        params = [torch.from_numpy(p).requires_grad_() for p in setting.params()]
        grads = [torch.from_numpy(g) for g in setting.grads]
        for p, g in zip(params, grads, strict=True):
            # Clipping writes the gradients: then they are a copy.
            p.grad = g if problem.max_norm is None else g.clone()
        try:
            optimizer = getattr(self.module, name)(params, **options, **self.implementation)
        except (TypeError, RuntimeError) as error:
            raise NotOfferedError(str(error)) from error

        def step(_: object) -> None:
            if problem.max_norm is not None:
                torch.nn.utils.clip_grad_norm_(params, problem.max_norm)
            optimizer.step()

        def renew() -> None:
            for p in params:
                p.grad = None
            for p, g in zip(params, grads, strict=True):
                p.grad = g.clone()

        return Contender(
            step,
            None,
            lambda: [p.detach().numpy() for p in params],
            renew if problem.anew else None,
        )


class Foreach(Default):
    implementation = {"foreach": True}  # noqa: RUF012


class Fused(Default):
    arrays = 4
    implementation = {"fused": True}  # noqa: RUF012
