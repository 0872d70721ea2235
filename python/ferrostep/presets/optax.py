"""optax: torch's formulas but for RMSprop and Adagrad, whose epsilon is under the root.

Learning rates are numbers here. Weight decay is decoupled, but for `adadelta`. `rprop` is missing:
in optax 0.2.8 each of its updates is that of the call before, and the first is 0 (optax#1725). So
is `adan`, which weighs the change of the gradient by ``1 - b2`` where the paper has ``b2``
(optax#1715): `ferrostep.Adan` has the authors' numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ferrostep import optimizers
from ferrostep.presets.functions import functions
from ferrostep.presets.row import RATE_INSIDE, Library, Refused, Row, by_name
from ferrostep.schema import REQUIRED

MASK = Refused("give param groups with a weight_decay of their own")
MU_DTYPE = Refused("give state_dtype, which is the dtype of both averages")
#: The arguments of optax' Adams, and which of them no option stands for.
ADAM = {
    "learning_rate": REQUIRED,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "eps_root": 0.0,
    "mu_dtype": None,
}
EPS_ROOT = Refused("ferrostep adds epsilon to the root, not under it; give eps")
NADAM = Refused("it makes NAdam of it; use nadam")
IN_ALL = {"eps_root": EPS_ROOT, "mu_dtype": MU_DTYPE, "mask": MASK}
IN_ADAM = {**IN_ALL, "nesterov": NADAM}
IN_NADAM = {**IN_ALL, "nesterov": Refused("without it, it is Adam; use adam or adamw")}
MAXIMUM = Refused(
    "no option has the maximum of corrected averages: presets.torch.Adam(amsgrad=True) corrects "
    "their maximum",
    only=False,
)
IN_SCHEDULE_FREE = {
    "warmup_steps": Refused(
        "optax begins with a rate of 0; give the ferrostep class warmup_steps, which begin above it"
    )
}
SCHEDULE_FREE_NOTE = (
    "It is in ``optax.contrib``, whose ``schedule_free_eval_params`` is ``eval()`` here."
)

OPTAX = Library(
    "optax",
    "optax",
    named={"lr": "learning_rate", "betas": ("b1", "b2")},
)

ROWS = by_name(
    Row(
        OPTAX,
        "sgd",
        optimizers.SGD,
        {
            "learning_rate": REQUIRED,
            "momentum": None,
            "nesterov": False,
            "accumulator_dtype": None,
        },
        named={"state_dtype": "accumulator_dtype"},
    ),
    Row(OPTAX, "adam", optimizers.Adam, {**ADAM, "nesterov": False}, refused=IN_ADAM),
    Row(
        OPTAX,
        "adamw",
        optimizers.AdamW,
        {**ADAM, "weight_decay": 1e-4, "mask": None, "nesterov": False},
        refused=IN_ADAM,
    ),
    Row(
        OPTAX,
        "nadam",
        optimizers.NAdam,
        {**ADAM, "nesterov": True},
        fixed={"momentum_decay": math.inf},
        refused=IN_NADAM,
    ),
    Row(
        OPTAX,
        "nadamw",
        optimizers.NAdam,
        {**ADAM, "weight_decay": 1e-4, "mask": None, "nesterov": True},
        fixed={"momentum_decay": math.inf, "decoupled_weight_decay": True},
        refused=IN_NADAM,
    ),
    Row(
        OPTAX,
        "lamb",
        optimizers.LAMB,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-6,
            "eps_root": 0.0,
            "weight_decay": 0.0,
            "mask": None,
        },
        refused={"eps_root": EPS_ROOT, "mask": MASK},
    ),
    Row(
        OPTAX,
        "novograd",
        optimizers.NovoGrad,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.25,
            "eps": 1e-6,
            "eps_root": 0.0,
            "weight_decay": 0.0,
        },
        refused={"eps_root": EPS_ROOT},
    ),
    Row(
        OPTAX,
        "amsgrad",
        optimizers.Adam,
        {**ADAM, "bias_correction_mu": True, "bias_correction_nu": True},
        fixed={"amsgrad": True, "bias_correction": False},
        refused={**IN_ADAM, "bias_correction_mu": MAXIMUM, "bias_correction_nu": MAXIMUM},
        note=(
            "Only without both corrections, as in the paper: optax' default corrects the average "
            "before it takes the maximum."
        ),
    ),
    Row(
        OPTAX,
        "rmsprop",
        optimizers.RMSprop,
        {
            "learning_rate": REQUIRED,
            "decay": 0.9,
            "eps": 1e-8,
            "initial_scale": 0.0,
            "eps_in_sqrt": True,
            "centered": False,
            "momentum": None,
            "nesterov": False,
            "bias_correction": False,
        },
        named={
            "alpha": "decay",
            "initial_accumulator_value": "initial_scale",
            "eps_inside_sqrt": "eps_in_sqrt",
        },
        refused={
            "momentum": Refused(RATE_INSIDE),
            "nesterov": Refused("RMSprop has no look-ahead"),
            "bias_correction": Refused(
                "Adam(betas=(0.0, decay)) is RMSprop with it, and epsilon outside the root"
            ),
        },
    ),
    Row(
        OPTAX,
        "adagrad",
        optimizers.Adagrad,
        {"learning_rate": REQUIRED, "initial_accumulator_value": 0.1, "eps": 1e-7},
        fixed={"eps_inside_sqrt": True},
        note="With eps=0 too, a gradient of 0 over a sum of 0 is NaN here, and no step in optax.",
    ),
    Row(
        OPTAX,
        "adadelta",
        optimizers.Adadelta,
        {
            "learning_rate": REQUIRED,  # None, with which optax fails
            "rho": 0.9,
            "eps": 1e-6,
            "weight_decay": 0.0,
            "weight_decay_mask": None,
        },
        refused={"weight_decay_mask": MASK},
    ),
    Row(
        OPTAX,
        "lion",
        optimizers.Lion,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.99,
            "mu_dtype": None,
            "weight_decay": 1e-3,
            "mask": None,
        },
        named={"state_dtype": "mu_dtype"},
        refused={"mask": MASK},
    ),
    Row(
        OPTAX,
        "adamax",
        optimizers.Adamax,
        {"learning_rate": REQUIRED, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
    ),
    Row(
        OPTAX,
        "radam",
        optimizers.RAdam,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-8,
            "eps_root": 0.0,
            "threshold": 5.0,
            "nesterov": False,
        },
        fixed={"epsilon_hat": False},
        refused={
            "eps_root": EPS_ROOT,
            "nesterov": NADAM,
            "threshold": Refused("RAdam has the paper's"),
        },
        note="The first steps end where rho is 5 or more here, and more than 5 there.",
    ),
    Row(
        OPTAX,
        "adabelief",
        optimizers.AdaBelief,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-16,
            "eps_root": 1e-16,
            "nesterov": False,
        },
        refused={"nesterov": NADAM},
    ),
    Row(
        OPTAX,
        "yogi",
        optimizers.Yogi,
        {"learning_rate": REQUIRED, "b1": 0.9, "b2": 0.999, "eps": 1e-3},
    ),
    Row(
        OPTAX,
        "ademamix",
        optimizers.AdEMAMix,
        {
            "learning_rate": REQUIRED,
            "b1": 0.9,
            "b2": 0.999,
            "b3": 0.9999,
            "alpha": 5.0,
            "eps": 1e-8,
            "eps_root": 0.0,
            "mu_dtype": None,
            "weight_decay": 0.0,
            "mask": None,
        },
        named={"betas": ("b1", "b2", "b3"), "state_dtype": "mu_dtype"},
        refused={"eps_root": EPS_ROOT, "mask": MASK},
        note=(
            "It is in ``optax.contrib``. Schedules of b3 and alpha are `t_beta3` and `t_alpha` of "
            "`AdEMAMix`."
        ),
    ),
    Row(
        OPTAX,
        "prodigy",
        optimizers.Prodigy,
        {
            "learning_rate": 1.0,
            "betas": (0.9, 0.999),
            "beta3": None,
            "eps": 1e-8,
            "estim_lr0": 1e-6,
            "estim_lr_coef": 1.0,
            "weight_decay": 0.0,
            "safeguard_warmup": False,
        },
        fixed={"bias_correction": True, "decoupled_weight_decay": True},
        named={"betas": "betas", "d0": "estim_lr0", "d_coef": "estim_lr_coef"},
        note="It is in ``optax.contrib``.",
    ),
    Row(
        OPTAX,
        "sign_sgd",
        optimizers.Signum,
        {"learning_rate": REQUIRED},
        fixed={"momentum": 0.0},
    ),
    Row(
        OPTAX,
        "signum",
        optimizers.Signum,
        {"learning_rate": REQUIRED, "beta": 0.9, "accumulator_dtype": None},
        named={"momentum": "beta", "state_dtype": "accumulator_dtype"},
    ),
    Row(
        OPTAX,
        "schedule_free_sgd",
        optimizers.ScheduleFreeSGD,
        {
            "learning_rate": 1.0,
            "warmup_steps": None,
            "b1": 0.9,
            "weight_decay": None,
            "weight_lr_power": 2.0,
            "state_dtype": None,
        },
        named={"momentum": "b1"},
        refused=IN_SCHEDULE_FREE,
        note=SCHEDULE_FREE_NOTE,
    ),
    Row(
        OPTAX,
        "schedule_free_adamw",
        optimizers.ScheduleFreeAdamW,
        {
            "learning_rate": 0.0025,
            "warmup_steps": None,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "weight_lr_power": 2.0,
            "state_dtype": None,
        },
        refused=IN_SCHEDULE_FREE,
        note=SCHEDULE_FREE_NOTE,
    ),
)

if TYPE_CHECKING:
    # Made from the rows: cd tests && ../.venv/bin/python -m support.presets
    from typing import Literal, Unpack

    from ferrostep.presets.functions import Ours
    from ferrostep.typing import Params, StateDtype

    class _Rest(Ours, total=False):
        """What all take by name."""

        params: Params | None

    def sgd(
        learning_rate: float,
        momentum: float | None = None,
        nesterov: bool = False,
        accumulator_dtype: StateDtype = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.SGD: ...
    def adam(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: None = None,
        nesterov: Literal[False] = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def adamw(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: None = None,
        weight_decay: float = 0.0001,
        mask: None = None,
        nesterov: Literal[False] = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdamW: ...
    def nadam(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: None = None,
        nesterov: Literal[True] = True,
        **rest: Unpack[_Rest],
    ) -> optimizers.NAdam: ...
    def nadamw(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: None = None,
        weight_decay: float = 0.0001,
        mask: None = None,
        nesterov: Literal[True] = True,
        **rest: Unpack[_Rest],
    ) -> optimizers.NAdam: ...
    def lamb(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-06,
        eps_root: float = 0.0,
        weight_decay: float = 0.0,
        mask: None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.LAMB: ...
    def novograd(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.25,
        eps: float = 1e-06,
        eps_root: float = 0.0,
        weight_decay: float = 0.0,
        **rest: Unpack[_Rest],
    ) -> optimizers.NovoGrad: ...
    def amsgrad(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: None = None,
        bias_correction_mu: bool = True,
        bias_correction_nu: bool = True,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adam: ...
    def rmsprop(
        learning_rate: float,
        decay: float = 0.9,
        eps: float = 1e-08,
        initial_scale: float = 0.0,
        eps_in_sqrt: bool = True,
        centered: bool = False,
        momentum: None = None,
        nesterov: Literal[False] = False,
        bias_correction: Literal[False] = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.RMSprop: ...
    def adagrad(
        learning_rate: float,
        initial_accumulator_value: float = 0.1,
        eps: float = 1e-07,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adagrad: ...
    def adadelta(
        learning_rate: float,
        rho: float = 0.9,
        eps: float = 1e-06,
        weight_decay: float = 0.0,
        weight_decay_mask: None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adadelta: ...
    def lion(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.99,
        mu_dtype: StateDtype = None,
        weight_decay: float = 0.001,
        mask: None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Lion: ...
    def adamax(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        **rest: Unpack[_Rest],
    ) -> optimizers.Adamax: ...
    def radam(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        threshold: float = 5.0,
        nesterov: Literal[False] = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.RAdam: ...
    def adabelief(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-16,
        eps_root: float = 1e-16,
        nesterov: Literal[False] = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdaBelief: ...
    def yogi(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 0.001,
        **rest: Unpack[_Rest],
    ) -> optimizers.Yogi: ...
    def ademamix(
        learning_rate: float,
        b1: float = 0.9,
        b2: float = 0.999,
        b3: float = 0.9999,
        alpha: float = 5.0,
        eps: float = 1e-08,
        eps_root: float = 0.0,
        mu_dtype: StateDtype = None,
        weight_decay: float = 0.0,
        mask: None = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.AdEMAMix: ...
    def prodigy(
        learning_rate: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: float | None | None = None,
        eps: float = 1e-08,
        estim_lr0: float = 1e-06,
        estim_lr_coef: float = 1.0,
        weight_decay: float = 0.0,
        safeguard_warmup: bool = False,
        **rest: Unpack[_Rest],
    ) -> optimizers.Prodigy: ...
    def sign_sgd(learning_rate: float, **rest: Unpack[_Rest]) -> optimizers.Signum: ...
    def signum(
        learning_rate: float,
        beta: float = 0.9,
        accumulator_dtype: StateDtype = None,
        **rest: Unpack[_Rest],
    ) -> optimizers.Signum: ...
    def schedule_free_sgd(
        learning_rate: float = 1.0,
        warmup_steps: None = None,
        b1: float = 0.9,
        weight_decay: float | None = None,
        weight_lr_power: float = 2.0,
        **rest: Unpack[_Rest],
    ) -> optimizers.ScheduleFreeSGD: ...
    def schedule_free_adamw(
        learning_rate: float = 0.0025,
        warmup_steps: None = None,
        b1: float = 0.9,
        b2: float = 0.999,
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        weight_lr_power: float = 2.0,
        **rest: Unpack[_Rest],
    ) -> optimizers.ScheduleFreeAdamW: ...

    # End of what is made.
else:
    globals().update(functions(ROWS, __name__))
    __all__ = [*ROWS]
