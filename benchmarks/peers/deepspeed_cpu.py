"""DeepSpeed's Adam for the CPU, which it compiles at its first use."""

from __future__ import annotations

import deepspeed
import torch
from deepspeed.ops.adam import DeepSpeedCPUAdam

from benchmarks.peers import AbsentError, Contender, NotOfferedError
from benchmarks.problem import Setting


class CpuAdam:
    tolerance = 1e-5
    arrays = 3

    def version(self) -> str:
        return str(deepspeed.__version__)

    def set_threads(self, n: int) -> None:
        torch.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer != "Adam" or problem.options or problem.max_norm is not None:
            raise NotOfferedError("DeepSpeedCPUAdam is plain Adam")
        params = [torch.from_numpy(p).requires_grad_() for p in setting.params()]
        for p, g in zip(params, setting.grads, strict=True):
            p.grad = torch.from_numpy(g)
        try:
            optimizer = DeepSpeedCPUAdam(params, lr=1e-3, adamw_mode=False)
        except (RuntimeError, OSError, ImportError) as error:
            raise AbsentError(f"its extension cannot be built: {error}") from error
        return Contender(
            lambda _: optimizer.step(), None, lambda: [p.detach().numpy() for p in params]
        )
