"""Averages of weights over training, which often do better than the last weights.

An average is made of the parameters, updated after each step, and applied for as long as a model is
to be evaluated with it::

    ema = fs.averages.EMA(params, decay=0.999)
    for x, y in batches:
        opt.step(backward(params, x, y))
        ema.update()
    with ema.applied():
        evaluate(params)
"""

from ferrostep.averages.ema import EMA
from ferrostep.averages.mean import Mean

__all__ = ["EMA", "Mean"]
