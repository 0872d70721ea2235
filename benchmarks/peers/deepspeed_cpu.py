"""DeepSpeed's Adam for the CPU, which it compiles at its first use."""

from __future__ import annotations

import os
import sysconfig

import deepspeed
import torch
from deepspeed.ops.adam import DeepSpeedCPUAdam
from deepspeed.ops.op_builder import CPUAdamBuilder

from benchmarks.peers import AbsentError, Contender, NotOfferedError
from benchmarks.problem import Setting


def build() -> None:
    """Compile it, if that is not done yet: ninja must be found, which lies beside Python."""
    os.environ["PATH"] = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    try:
        CPUAdamBuilder().load(verbose=False)
    except Exception as error:  # whatever a compiler, or its absence, leads to
        raise AbsentError(f"its extension cannot be built: {error}") from error


class CpuAdam:
    tolerance = 1e-5
    arrays = 3

    def __init__(self) -> None:
        build()

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
        optimizer = DeepSpeedCPUAdam(params, lr=1e-3, adamw_mode=False)
        return Contender(
            lambda _: optimizer.step(), None, lambda: [p.detach().numpy() for p in params]
        )


if __name__ == "__main__":
    build()
