"""The table of cases: every general property is tested over all of it.

A new option set is a new row of `CASES`, a new class has one of `FORMULAS` too (`formulas/`);
nothing else needs to be told, but `fingerprints.json`, which is printed
(`support/fingerprints.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import ml_dtypes
import numpy as np

import ferrostep as fs
from ferrostep import optimizers
from ferrostep.averages import rules
from ferrostep.evaluated import Towards
from ferrostep.options import non_negative
from ferrostep.wrappers import rules as wrapped


class SparseAdam(fs.SparseAdam):
    """With whole gradients and weight decay, as the general properties have them."""

    weight_decay: Annotated[float, non_negative] = 0.0
    ROWS_ONLY = False


#: Every class of the package, each once whatever other spellings it has.
PUBLIC = list(dict.fromkeys(getattr(optimizers, name) for name in optimizers.__all__))
#: The same, to be stepped with any gradient.
CLASSES = [SparseAdam if cls is fs.SparseAdam else cls for cls in PUBLIC]
#: What is behind averages of weights and wrappers: no public classes, but with cases and formulas.
HIDDEN = [rules.EMA, rules.Mean, wrapped.Slow, Towards, wrapped.Sum]
#: Those whose update is made element by element, of arrays of any shape.
ELEMENTWISE = [cls for cls in CLASSES if not cls.MATRICES]


def own_options(cls: type[fs.Optimizer]) -> list[str]:
    """The options that a class has besides those of every class."""
    return [name for name in cls._schema().fields if name not in fs.Optimizer._schema().fields]


@dataclass(frozen=True)
class Case:
    """A class with an option set that takes a path of its own."""

    name: str
    optimizer: type[fs.Optimizer]
    options: dict[str, Any]

    def make(self, params: Any, **more: Any) -> fs.Optimizer:
        return self.optimizer(params, **{**self.options, **more})


def case_of(optimizer: type[fs.Optimizer], **options: Any) -> Case:
    text = ",".join(f"{name}={value}" for name, value in options.items())
    return Case(f"{optimizer.__name__}({text})".replace(" ", ""), optimizer, options)


CASES = [
    case_of(fs.SGD, lr=0.1),
    case_of(fs.SGD, lr=0.1, weight_decay=0.05, maximize=True),
    case_of(fs.SGD, lr=0.1, momentum=0.9),
    case_of(fs.SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    case_of(fs.SGD, lr=0.1, momentum=0.9, nesterov=True, flush_subnormals=True),
    case_of(fs.SGD, lr=0.1, momentum=0.9, average=True, weight_decay=0.01),
    case_of(fs.Momentum),
    case_of(fs.Momentum, nesterov=True, weight_decay=0.01),
    case_of(fs.AdaptiveGains),
    case_of(fs.AdaptiveGains, beta=0.2, min_gain=0.5, max_gain=1.5, weight_decay=0.1),
    case_of(fs.AdaptiveGains, momentum=0.8),
    case_of(fs.AdaptiveGains, momentum=0.5, compare="velocity", beta=0.2, max_gain=float("inf")),
    case_of(fs.AdaptiveGains, momentum=0.5, compare="sign", beta=0.2, weight_decay=0.1),
    case_of(fs.Rprop),
    case_of(fs.Rprop, lr=0.1, etas=(0.4, 1.5), step_sizes=(0.05, 0.5), weight_decay=0.1),
    case_of(fs.RMSprop),
    case_of(fs.RMSprop, eps_inside_sqrt=True, initial_accumulator_value=1.0),
    case_of(fs.RMSprop, centered=True, weight_decay=0.05),
    case_of(fs.RMSprop, centered=True, eps_inside_sqrt=True),
    case_of(fs.RMSprop, momentum=0.9),
    case_of(fs.RMSprop, momentum=0.9, eps_inside_sqrt=True, maximize=True),
    case_of(fs.RMSprop, momentum=0.9, centered=True, weight_decay=0.05),
    case_of(fs.RMSprop, momentum=0.9, centered=True, eps_inside_sqrt=True),
    case_of(fs.Adagrad),
    case_of(fs.Adagrad, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
    case_of(fs.Adagrad, eps_inside_sqrt=True, eps=1e-7, maximize=True),
    case_of(fs.Adadelta),
    case_of(fs.Adadelta, lr=0.5, rho=0.8, eps=1e-5, weight_decay=0.1),
    case_of(fs.Adam),
    case_of(fs.Adam, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-6),
    case_of(fs.Adam, weight_decay=0.1, decoupled_weight_decay=True, maximize=True),
    case_of(fs.Adam, amsgrad=True, flush_subnormals=True),
    case_of(fs.Adam, bias_correction=False),
    case_of(fs.Adam, epsilon_hat=True, eps=1e-7),
    case_of(fs.Adam, bias_correction=False, initial_accumulator_value=1e-6, weight_decay=0.1),
    case_of(fs.AdamW),
    case_of(fs.AdamW, amsgrad=True, weight_decay=0.3),
    case_of(fs.AdamW, amsgrad=True, initial_accumulator_value=0.1),
    case_of(fs.SGD, lr=0.1, momentum=0.9, state_dtype="bfloat16", weight_decay=0.01),
    case_of(fs.RMSprop, momentum=0.9, centered=True, state_dtype="float16"),
    case_of(fs.Rprop, lr=0.1, state_dtype="bfloat16"),
    case_of(fs.Adam, state_dtype="bfloat16", weight_decay=0.1),
    case_of(fs.AdamW, state_dtype="float16", amsgrad=True, flush_subnormals=True),
    case_of(fs.Lion),
    case_of(fs.Lion, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, maximize=True),
    case_of(fs.Lion, state_dtype="bfloat16", weight_decay=0.1),
    case_of(fs.Signum),
    case_of(fs.Signum, lr=0.01, momentum=0.0, weight_decay=0.1),
    case_of(fs.NAdam),
    case_of(fs.NAdam, betas=(0.8, 0.95), momentum_decay=1.0, eps=1e-7, weight_decay=0.1),
    case_of(fs.NAdam, momentum_decay=float("inf"), maximize=True),
    case_of(fs.ASGD, lr=0.1, t0=2.0),
    case_of(fs.ASGD, lr=0.1, lambd=0.1, alpha=0.5, t0=0.0, weight_decay=0.1),
    case_of(fs.Adamax),
    case_of(fs.Adamax, eps_inside_max=False, eps=1e-3, weight_decay=0.1, maximize=True),
    case_of(fs.RAdam),
    case_of(fs.RAdam, betas=(0.8, 0.9), epsilon_hat=False, weight_decay=0.1),
    case_of(fs.AdaBelief),
    case_of(fs.AdaBelief, betas=(0.8, 0.95), eps=1e-6, eps_root=1e-8, weight_decay=0.1),
    case_of(fs.Yogi),
    case_of(fs.Yogi, betas=(0.8, 0.95), initial_accumulator_value=0.1, weight_decay=0.1),
    case_of(fs.ADOPT),
    case_of(fs.ADOPT, betas=(0.8, 0.95), clip_exponent=None, weight_decay=0.1),
    case_of(fs.ADOPT, clip_exponent=0.333, weight_decay=0.1, decoupled_weight_decay=True),
    case_of(fs.Adan),
    case_of(fs.Adan, betas=(0.9, 0.8, 0.95), weight_decay=0.1, eps=1e-6, maximize=True),
    case_of(fs.Adan, no_prox=True, weight_decay=0.1),
    case_of(fs.Adan, decoupled_weight_decay=False, weight_decay=0.1, state_dtype="bfloat16"),
    case_of(fs.AdEMAMix),
    case_of(fs.AdEMAMix, betas=(0.8, 0.9, 0.99), t_alpha=4, t_beta3=5, weight_decay=0.1, alpha=8),
    case_of(fs.AdEMAMix, state_dtype="bfloat16", decoupled_weight_decay=False, eps=1e-6),
    case_of(fs.Adam, cautious=True, weight_decay=0.1),
    case_of(fs.AdamW, cautious=True, amsgrad=True),
    case_of(fs.Lion, cautious=True, weight_decay=0.1, maximize=True),
    case_of(fs.NAdam, cautious=True, state_dtype="bfloat16"),
    case_of(fs.Adan, cautious=True, weight_decay=0.1),
    case_of(fs.LAMB),
    case_of(fs.LAMB, betas=(0.8, 0.95), trust_clip=True, decoupled_weight_decay=False),
    case_of(fs.LAMB, bias_correction=False, weight_decay=0.1, maximize=True),
    case_of(fs.LARS, lr=0.5, weight_decay=0.05),
    case_of(fs.LARS, nesterov=True, trust_clip=True, trust_coefficient=0.1),
    case_of(fs.LARS, dampening=0.1, weight_decay=0.1, decoupled_weight_decay=True),
    case_of(fs.NovoGrad),
    case_of(fs.NovoGrad, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1),
    case_of(fs.StableAdamW),
    case_of(fs.StableAdamW, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1, maximize=True),
    case_of(fs.ScheduleFreeSGD, lr=0.1),
    case_of(fs.ScheduleFreeSGD, lr=0.1, momentum=0.8, warmup_steps=4, r=0.5, weight_decay=0.1),
    case_of(fs.ScheduleFreeSGD, weight_lr_power=1, decoupled_weight_decay=True, weight_decay=0.1),
    case_of(fs.ScheduleFreeAdamW),
    case_of(fs.ScheduleFreeAdamW, lr=0.1, betas=(0.8, 0.95), warmup_steps=4, weight_decay=0.1),
    case_of(fs.ScheduleFreeAdamW, r=1, eps=1e-4, decoupled_weight_decay=False, weight_decay=0.1),
    case_of(fs.Prodigy),
    case_of(fs.Prodigy, d0=1e-3, d_coef=2.0, growth_rate=2.5, weight_decay=0.1, maximize=True),
    case_of(fs.Prodigy, d0=0.01, bias_correction=True, safeguard_warmup=True, betas=(0.8, 0.95)),
    case_of(fs.Prodigy, d0=0.1, beta3=0.9, state_dtype="bfloat16", decoupled_weight_decay=False),
    case_of(fs.Adafactor),
    case_of(fs.Adafactor, form="original", beta2_decay=-0.5, weight_decay=0.1, eps=(1e-10, 0.01)),
    case_of(fs.Adafactor, eps=(1e-3, 0.5), d=0.5, scale_parameter=False, maximize=True),
    case_of(
        fs.Adafactor, relative_step=False, weight_decay=0.1, decoupled_weight_decay=False, lr=0.2
    ),
    case_of(fs.Adafactor, state_dtype="bfloat16", form="original", flush_subnormals=True),
    case_of(fs.FTRL, lr=0.5),
    case_of(fs.FTRL, lr=0.5, l1=0.3, l2=0.1, l2_shrinkage=0.05, beta=1.0, weight_decay=0.1),
    case_of(fs.Adamax, state_dtype="bfloat16", weight_decay=0.1),
    case_of(SparseAdam),
    case_of(SparseAdam, betas=(0.8, 0.95), eps=1e-3, maximize=True, state_dtype="bfloat16"),
    case_of(rules.EMA),
    case_of(rules.EMA, decay=0.4),
    case_of(rules.EMA, decay=0.6, warmup=True),
    case_of(rules.Mean),
    case_of(wrapped.Slow),
    case_of(wrapped.Slow, alpha=0.8),
    case_of(Towards, alpha=-0.25),
    case_of(wrapped.Sum),
]

#: Of classes that update whole matrices: `test_matrices.py` runs what is general over these.
MATRIX_CASES = [
    case_of(fs.Muon),
    case_of(fs.Muon, lr=0.05, momentum=0.8, nesterov=False, adjust_lr="match_rms_adamw"),
    case_of(fs.Muon, adjust_lr="spectral_unclamped", weight_decay=0.0, maximize=True, eps=1.0),
    case_of(fs.Muon, state_dtype="bfloat16", flush_subnormals=True),
]

#: Of classes that keep factors of matrices, and of nothing else.
FACTORED = [case for case in CASES if case.optimizer.FACTORS]

#: The cases of all classes.
EVERY_CASE = [*CASES, *MATRIX_CASES]

#: By name: what else is in the table, or will be, changes nothing for who asks for one.
CASE = {case.name: case for case in CASES}
#: The first case of each class, for what takes too long to be done with all.
PLAIN = list({case.optimizer: case for case in reversed(CASES)}.values())

DTYPES = [np.float32, np.float64]
#: Computed in float32.
LOW_PRECISION = [np.float16, ml_dtypes.bfloat16]

#: The cases whose parameters become NaN where their gradients are: all but one, which stays there.
SEES_NAN = [case for case in CASES if case.optimizer is not Towards]

#: Every case with every type of parameter that it goes with.
RUNS = [
    (case, dtype)
    for case in CASES
    for dtype in [*DTYPES, *LOW_PRECISION]
    if dtype is not np.float64 or "state_dtype" not in case.options
]
MATRIX_RUNS = [
    (case, dtype)
    for case in [*MATRIX_CASES, *FACTORED]
    for dtype in [*DTYPES, *LOW_PRECISION]
    if dtype is not np.float64 or "state_dtype" not in case.options
]
RUN_IDS = [f"{case.name}-{np.dtype(dtype).name}" for case, dtype in RUNS]
#: Those of rules that know one parameter alone: `update_one` takes no others.
TENSORWISE_CASES = [case for case in CASES if not case.optimizer.WHOLE_MODEL]
TENSORWISE_RUNS = [(case, dtype) for case, dtype in RUNS if case in TENSORWISE_CASES]
TENSORWISE_RUN_IDS = [f"{case.name}-{np.dtype(dtype).name}" for case, dtype in TENSORWISE_RUNS]


def takes_rows(case: Case) -> bool:
    """Whether a step takes `Rows`: not where a rule measures whole tensors."""
    try:
        case.make([np.ones((2, 1), np.float32)]).step([fs.Rows([0], np.ones((1, 1)))])
    except TypeError:
        return False
    return True


#: The runs of the cases that take `Rows`.
ROW_CASES = [case for case in CASES if takes_rows(case)]
ROW_RUNS = [(case, dtype) for case, dtype in RUNS if case in ROW_CASES]
ROW_RUN_IDS = [f"{case.name}-{np.dtype(dtype).name}" for case, dtype in ROW_RUNS]
