"""optax, compiled by JAX, the old parameters and state donated to the new ones."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
import optax

from benchmarks.peers import Contender, NotOfferedError
from benchmarks.problem import Setting


class Jit:
    tolerance = 1e-5
    arrays = 5

    def __init__(self) -> None:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)

    def version(self) -> str:
        return f"{optax.__version__} (jax {jax.__version__})"

    def set_threads(self, n: int) -> None:
        """JAX fixes the number when it starts: all that it finds."""
        if n != len(os.sched_getaffinity(0)):
            raise NotOfferedError("JAX runs on all threads only")

    def make(self, setting: Setting) -> Contender:
        problem = setting.problem
        if problem.optimizer != "Adam" or problem.options or problem.max_norm is not None:
            raise NotOfferedError("only optax's plain Adam is compared")
        rule = optax.adam(1e-3)
        params = [jax.device_put(p, may_alias=False) for p in setting.params()]
        grads = [jax.device_put(g, may_alias=False) for g in setting.grads]
        state = rule.init(params)

        def update(params: Any, state: Any, grads: Any) -> tuple[Any, Any]:
            updates, state = rule.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        compiled = jax.jit(update, donate_argnums=(0, 1))

        def step(grads: Any) -> None:
            nonlocal params, state
            params, state = compiled(params, state, grads)
            jax.block_until_ready((params, state))

        return Contender(step, grads, lambda: [np.asarray(p) for p in params])
