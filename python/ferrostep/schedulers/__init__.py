"""Learning-rate schedules with the names, arguments and arithmetic of ``torch.optim.lr_scheduler``.

A scheduler sees an optimizer as a list of groups with a learning rate each.  It knows nothing of
arrays, gradients or the compiled core, so it works with anything that has ``param_groups``.

Construction sets the rate of epoch 0; then call ``scheduler.step()`` after ``optimizer.step()``.
Most of torch's schedules are *recursive*: they multiply the rate that the group holds now.  That
is why two of them on one optimizer compound, and why a rate changed by hand is carried on.  Their
operations are in torch's order, so the rates are torch's to the bit wherever ``cos`` and ``pow``
are the same.
`InverseSqrtLR`, `NoamLR`, `WarmupCosineLR` and `WarmupStableDecayLR` are not torch's, and go by
closed forms.  `plot` draws what is to come.
"""

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.chained_scheduler import ChainedScheduler
from ferrostep.schedulers.constant_lr import ConstantLR
from ferrostep.schedulers.cosine_annealing_lr import CosineAnnealingLR
from ferrostep.schedulers.cosine_annealing_warm_restarts import CosineAnnealingWarmRestarts
from ferrostep.schedulers.cyclic_lr import CyclicLR
from ferrostep.schedulers.exponential_lr import ExponentialLR
from ferrostep.schedulers.inverse_sqrt_lr import InverseSqrtLR
from ferrostep.schedulers.lambda_lr import LambdaLR
from ferrostep.schedulers.linear_lr import LinearLR
from ferrostep.schedulers.multi_step_lr import MultiStepLR
from ferrostep.schedulers.multiplicative_lr import MultiplicativeLR
from ferrostep.schedulers.noam_lr import NoamLR
from ferrostep.schedulers.one_cycle_lr import OneCycleLR
from ferrostep.schedulers.picture import plot
from ferrostep.schedulers.polynomial_lr import PolynomialLR
from ferrostep.schedulers.reduce_lr_on_plateau import ReduceLROnPlateau
from ferrostep.schedulers.sequential_lr import SequentialLR
from ferrostep.schedulers.step_lr import StepLR
from ferrostep.schedulers.swalr import SWALR
from ferrostep.schedulers.warmup_cosine_lr import WarmupCosineLR
from ferrostep.schedulers.warmup_stable_decay_lr import WarmupStableDecayLR

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSqrtLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "NoamLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
    "WarmupStableDecayLR",
    "plot",
]


def __dir__() -> list[str]:
    return __all__
