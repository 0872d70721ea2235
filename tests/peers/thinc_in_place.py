"""A plugin of pytest: thinc's optimizers are ours, in its modules and in its registry."""

import sys
from unittest import mock

import thinc.api
import thinc.optimizers

from ferrostep.compat import thinc as ours
from peers import thinc_data

for name in ("Optimizer", "Adam", "RAdam", "SGD"):
    for module in (thinc.api, thinc.optimizers):
        setattr(module, name, getattr(ours, name))
for name in ("Adam", "RAdam", "SGD"):
    thinc.api.registry.optimizers(f"{name}.v1", func=getattr(ours, name))
sys.modules["ml_datasets"] = thinc_data
sys.modules.setdefault("mock", mock)  # the same, under the name that it had before Python 3.3
