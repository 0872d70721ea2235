"""Keras 3: the rate inside the velocity, epsilon-hat in Adam, epsilon under the root elsewhere.

Weight decay of every class is decoupled, and comes before the step. What Keras does around a step
is done here by `step`, and refused with the words for it; Keras clips without 1e-6 beside the norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ferrostep import optimizers
from ferrostep.presets.functions import functions
from ferrostep.presets.row import RATE_INSIDE, Library, Refused, Row, by_name

KERAS = Library(
    "Keras",
    "keras",
    named={"lr": "learning_rate", "betas": ("beta_1", "beta_2"), "eps": "epsilon"},
    common={
        "weight_decay": None,
        "clipnorm": None,
        "clipvalue": None,
        "global_clipnorm": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "name": None,
    },
    ignored=frozenset({"ema_momentum", "name"}),
    refused={
        "clipnorm": Refused('call step(grads, max_norm=clipnorm, clip="parameter")'),
        "clipvalue": Refused("call ferrostep.clip.clip_by_value(grads, clipvalue) before step()"),
        "global_clipnorm": Refused("call step(grads, max_norm=global_clipnorm)"),
        "use_ema": Refused("make ferrostep.averages.EMA(params, decay=ema_momentum) beside it"),
        "ema_overwrite_frequency": Refused(
            "copy the arrays of ferrostep.averages.EMA(...).averages into the parameters"
        ),
        "loss_scale_factor": Refused("call step(grads, grad_scale=1/loss_scale_factor)"),
        "gradient_accumulation_steps": Refused(
            "add up n gradients and call step(sums, grad_scale=1/n)"
        ),
    },
)
DECOUPLED = {"decoupled_weight_decay": True}
HAT = {**DECOUPLED, "epsilon_hat": True}
INSIDE = {**DECOUPLED, "eps_inside_sqrt": True}
BETAS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}

ROWS = by_name(
    Row(
        KERAS,
        "SGD",
        optimizers.Momentum,
        {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
        fixed=DECOUPLED,
        note="The velocity is there without momentum, too: `SGD` does without.",
    ),
    Row(KERAS, "Adam", optimizers.Adam, {"learning_rate": 1e-3, **BETAS}, fixed=HAT),
    Row(
        KERAS,
        "AdamW",
        optimizers.AdamW,
        {"learning_rate": 1e-3, "weight_decay": 0.004, **BETAS},
        fixed=HAT,
    ),
    Row(
        KERAS,
        "RMSprop",
        optimizers.RMSprop,
        {
            "learning_rate": 1e-3,
            "rho": 0.9,
            "momentum": 0.0,
            "epsilon": 1e-7,
            "centered": False,
        },
        fixed=INSIDE,
        named={"alpha": "rho"},
        refused={"momentum": Refused(RATE_INSIDE)},
    ),
    Row(
        KERAS,
        "Adagrad",
        optimizers.Adagrad,
        {"learning_rate": 1e-3, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
        fixed=INSIDE,
    ),
    Row(
        KERAS,
        "Adadelta",
        optimizers.Adadelta,
        {"learning_rate": 1e-3, "rho": 0.95, "epsilon": 1e-7},
        fixed=DECOUPLED,
    ),
    Row(
        KERAS,
        "Lion",
        optimizers.Lion,
        {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.99},
        fixed=DECOUPLED,
    ),
    Row(
        KERAS,
        "Adamax",
        optimizers.Adamax,
        {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        fixed={**DECOUPLED, "eps_inside_max": False},
    ),
    Row(
        KERAS,
        "Nadam",
        optimizers.NAdam,
        {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        fixed={**DECOUPLED, "momentum_decay": 1.0},
    ),
    Row(
        KERAS,
        "Lamb",
        optimizers.LAMB,
        {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        fixed={"weight_decay": 0.0},
        refused={"weight_decay": Refused("Keras decays before the step, and LAMB in it")},
    ),
    Row(
        KERAS,
        "ScheduleFreeAdamW",
        optimizers.ScheduleFreeAdamW,
        {
            "learning_rate": 0.0025,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-8,
            "warmup_steps": 0,
        },
        fixed={"weight_lr_power": 0.0, "weight_decay": 0.0},
        refused={"weight_decay": Refused("Keras decays y alone, by a rate that is not warmed up")},
        note="``eval()`` gives the average, to which Keras has no way.",
    ),
    Row(
        KERAS,
        "Adafactor",
        optimizers.Adafactor,
        {
            "learning_rate": 1e-3,
            "beta_2_decay": -0.8,
            "epsilon_1": 1e-30,
            "epsilon_2": 1e-3,
            "clip_threshold": 1.0,
            "relative_step": True,
        },
        fixed={"form": "original", "relative_step": True, "weight_decay": 0.0},
        named={
            "beta2_decay": "beta_2_decay",
            "eps": ("epsilon_1", "epsilon_2"),
            "d": "clip_threshold",
        },
        refused={
            "relative_step": Refused("Keras' rate is 1/sqrt(t) at most, whatever this says"),
            "weight_decay": Refused("Keras decays before it takes the size of a parameter"),
        },
    ),
    Row(
        KERAS,
        "Ftrl",
        optimizers.FTRL,
        {
            "learning_rate": 1e-3,
            "learning_rate_power": -0.5,
            "initial_accumulator_value": 0.1,
            "l1_regularization_strength": 0.0,
            "l2_regularization_strength": 0.0,
            "l2_shrinkage_regularization_strength": 0.0,
            "beta": 0.0,
        },
        fixed=DECOUPLED,
        named={
            "l1": "l1_regularization_strength",
            "l2": "l2_regularization_strength",
            "l2_shrinkage": "l2_shrinkage_regularization_strength",
        },
        refused={
            "learning_rate_power": Refused("its root is a square root, which another power is not")
        },
    ),
)

if TYPE_CHECKING:
    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets
    from typing import Literal, Unpack

    from ferrostep.presets.functions import Ours
    from ferrostep.typing import Params

    class _Rest(Ours, total=False):
        """What all take by name."""

        params: Params | None
        clipnorm: None
        clipvalue: None
        global_clipnorm: None
        use_ema: Literal[False]
        ema_momentum: object
        ema_overwrite_frequency: None
        loss_scale_factor: None
        gradient_accumulation_steps: None
        name: object

    def SGD(
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Momentum: ...
    def Adam(
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def AdamW(
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdamW: ...
    def RMSprop(
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-07,
        centered: bool = False,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.RMSprop: ...
    def Adagrad(
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-07,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adagrad: ...
    def Adadelta(
        learning_rate: float = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-07,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adadelta: ...
    def Lion(
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Lion: ...
    def Adamax(
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adamax: ...
    def Nadam(
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.NAdam: ...
    def Lamb(
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        **rest: Unpack[_Rest],
    ) -> optimizers.LAMB: ...
    def ScheduleFreeAdamW(
        learning_rate: float = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        warmup_steps: float = 0,
        **rest: Unpack[_Rest],
    ) -> optimizers.ScheduleFreeAdamW: ...
    def Adafactor(
        learning_rate: float = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 0.001,
        clip_threshold: float = 1.0,
        relative_step: Literal[True] = True,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adafactor: ...
    def Ftrl(
        learning_rate: float = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        *,
        weight_decay: float | None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.FTRL: ...

    # End of what is made.
else:
    globals().update(functions(ROWS, __name__))
    __all__ = [*ROWS]
