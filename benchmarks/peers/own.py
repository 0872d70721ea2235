"""ferrostep itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle

import ferrostep as fs
from benchmarks.peers import Contender
from benchmarks.problem import Setting


class Ferrostep:
    tolerance = 0.0
    arrays = 4

    def version(self) -> str:
        return fs.__version__

    def set_threads(self, n: int) -> None:
        fs.set_num_threads(n)

    def make(self, setting: Setting) -> Contender:
        step: Callable[..., object] = setting.optimizer.step
        norm = setting.problem.max_norm
        params = setting.optimizer.param_groups[0]["params"]
        if setting.rows:
            return Contender(
                lambda batches: step([fs.Rows(*next(batches))]), cycle(setting.rows), lambda: params
            )
        return Contender(
            step if norm is None else partial(step, max_norm=norm), setting.grads, lambda: params
        )
