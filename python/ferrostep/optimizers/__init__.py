"""One optimizer per file; other spellings are aliases."""

from ferrostep.optimizers.adabelief import AdaBelief
from ferrostep.optimizers.adadelta import Adadelta
from ferrostep.optimizers.adafactor import Adafactor
from ferrostep.optimizers.adagrad import Adagrad
from ferrostep.optimizers.adam import Adam
from ferrostep.optimizers.adamax import Adamax
from ferrostep.optimizers.adamw import AdamW
from ferrostep.optimizers.adan import Adan
from ferrostep.optimizers.adaptive_gains import AdaptiveGains
from ferrostep.optimizers.ademamix import AdEMAMix
from ferrostep.optimizers.adopt import ADOPT
from ferrostep.optimizers.asgd import ASGD
from ferrostep.optimizers.ftrl import FTRL
from ferrostep.optimizers.lamb import LAMB
from ferrostep.optimizers.lars import LARS
from ferrostep.optimizers.lion import Lion
from ferrostep.optimizers.momentum import Momentum
from ferrostep.optimizers.muon import Muon
from ferrostep.optimizers.nadam import NAdam
from ferrostep.optimizers.novograd import NovoGrad
from ferrostep.optimizers.prodigy import Prodigy
from ferrostep.optimizers.radam import RAdam
from ferrostep.optimizers.rmsprop import RMSprop
from ferrostep.optimizers.rprop import Rprop
from ferrostep.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from ferrostep.optimizers.schedule_free_sgd import ScheduleFreeSGD
from ferrostep.optimizers.sgd import SGD
from ferrostep.optimizers.signum import Signum
from ferrostep.optimizers.sparse_adam import SparseAdam
from ferrostep.optimizers.stableadamw import StableAdamW
from ferrostep.optimizers.yogi import Yogi

RMSProp = RMSprop
AdaGrad = Adagrad
AdaDelta = Adadelta
Ftrl = FTRL
Lamb = LAMB
Nadam = NAdam

__all__ = [
    "ADOPT",
    "ASGD",
    "FTRL",
    "LAMB",
    "LARS",
    "SGD",
    "AdEMAMix",
    "AdaBelief",
    "AdaDelta",
    "AdaGrad",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "AdaptiveGains",
    "Ftrl",
    "Lamb",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Nadam",
    "NovoGrad",
    "Prodigy",
    "RAdam",
    "RMSProp",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Signum",
    "SparseAdam",
    "StableAdamW",
    "Yogi",
]
