"""One optimizer per file; other spellings are aliases."""

from ferrostep.optimizers.adadelta import Adadelta
from ferrostep.optimizers.adagrad import Adagrad
from ferrostep.optimizers.adam import Adam
from ferrostep.optimizers.adamw import AdamW
from ferrostep.optimizers.adaptive_gains import AdaptiveGains
from ferrostep.optimizers.lion import Lion
from ferrostep.optimizers.momentum import Momentum
from ferrostep.optimizers.rmsprop import RMSprop
from ferrostep.optimizers.rprop import Rprop
from ferrostep.optimizers.sgd import SGD

RMSProp = RMSprop
AdaGrad = Adagrad
AdaDelta = Adadelta

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdaptiveGains",
    "Lion",
    "Momentum",
    "RMSProp",
    "RMSprop",
    "Rprop",
]
