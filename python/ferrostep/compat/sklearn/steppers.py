"""Optimizers as scikit-learn's estimators know them: its interface and schedules, our step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrostep import optimizers
from ferrostep.compat.sklearn import theirs
from ferrostep.optimizer import Optimizer
from ferrostep.presets.sklearn import ROWS

#: What scikit-learn's own rules are made of, to those who compare.
THEIR_OWN: dict[str, Any] = {"solver": "one of scikit-learn's own"}


class Stepper(theirs.SGDOptimizer):  # whose schedules of the learning rate it has
    """An unbound optimizer of ours in the place of one of scikit-learn's.

    Parameters
    ----------
    ours
        The optimizer; its rate is the first one.
    lr_schedule, power_t
        As those of scikit-learn's SGDOptimizer.
    """

    def __init__(
        self, ours: Optimizer, lr_schedule: str = "constant", power_t: float = 0.5
    ) -> None:
        theirs.BaseOptimizer.__init__(self, ours.param_groups[0]["lr"])
        self.lr_schedule, self.power_t, self.ours = lr_schedule, power_t, ours
        options = {name: x for name, x in ours.param_groups[0].items() if name != "params"}
        others = {"nonfinite": ours.nonfinite, "learning_rate": lr_schedule, "power_t": power_t}
        #: All that its numbers follow from.
        self.made_of = {"solver": type(ours).__name__, **options, **others}
        self._params: Any = None

    def update_params(self, params: list[Any], grads: list[Any]) -> None:
        """Step, wholly or not at all; `params` are updated in place."""
        if params is not self._params:  # each call of fit has a list of its own
            if self.ours._parameters():
                self.ours.rebind(params)
            self._params = params
        self.ours.param_groups[0]["lr"] = float(self.learning_rate)
        self.ours.update(params, grads)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_params": None}  # which the estimator has


def _state(name: str) -> property:
    """Return the state arrays of one name as a list, which may be set."""

    def get(stepper: Stepper) -> list[Any]:
        return [state[name] for state in stepper.ours.state.values()]

    def put(stepper: Stepper, arrays: list[Any]) -> None:
        saved = stepper.ours.state_dict(copy=False)
        for state, array in zip(saved["state"].values(), arrays, strict=True):
            state[name] = array
        stepper.ours.load_state_dict(saved)

    return property(get, put)


class SGDOptimizer(Stepper):
    """scikit-learn's SGDOptimizer, stepped by our Momentum: the same bits in float64."""

    def __init__(
        self,
        params: list[Any],
        learning_rate_init: float = 0.1,
        lr_schedule: str = "constant",
        momentum: float = 0.9,
        nesterov: bool = True,
        power_t: float = 0.5,
    ) -> None:
        given = {"learning_rate_init": learning_rate_init, "momentum": momentum}
        options = ROWS["SGDOptimizer"].options({**given, "nesterov": nesterov})
        super().__init__(optimizers.Momentum(**options), lr_schedule, power_t)
        self.made_of = THEIR_OWN
        self.ours.init_state(params)

    velocities = _state("velocity")


class AdamOptimizer(Stepper):
    """scikit-learn's AdamOptimizer, stepped by our Adam: the same bits in float64."""

    def __init__(
        self,
        params: list[Any],
        learning_rate_init: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        given = {"learning_rate_init": learning_rate_init, "epsilon": epsilon}
        options = ROWS["AdamOptimizer"].options({**given, "beta_1": beta_1, "beta_2": beta_2})
        super().__init__(optimizers.Adam(**options, bias_correction=False))
        self.made_of = THEIR_OWN
        self.beta_1, self.beta_2, self.t = beta_1, beta_2, 0
        self.ours.init_state(params)

    ms = _state("exp_avg")
    vs = _state("exp_avg_sq")

    def update_params(self, params: list[Any], grads: list[Any]) -> None:
        # Corrected here and not by ours: the platform's power is not ours in every bit.
        t = self.t + 1
        first = self.learning_rate_init * np.sqrt(1 - self.beta_2**t)
        self.learning_rate = first / (1 - self.beta_1**t)
        super().update_params(params, grads)
        self.t = t
