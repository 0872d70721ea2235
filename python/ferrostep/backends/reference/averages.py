"""Averages of weights: the parameter is the average, and the gradient is the weight."""

from collections.abc import Set

from ferrostep.backends.reference.rule import Array, Options, Rule, States


def ema(
    e: Array, p: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """An exponential moving average of weights, as torch's ``lerp`` has it.

    Here the parameter is the average ``e`` and the gradient is the weight ``p``.  The first weight
    is copied.  ``w`` is what enters of each later one; with warmup (TensorFlow) more at first.
    """
    decay = o["decay"]
    if o["warmup"] and (1.0 + t) / (10.0 + t) < decay:
        decay = (1.0 + t) / (10.0 + t)
    w = p.dtype.type(1 - decay)
    if t == 1 or w == 1:
        return p, {}
    d = p - e
    return (e + w * d if w < 0.5 else p - d * (1 - w)), {}


def mean(
    e: Array, p: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """The mean ``e`` of the weights ``p`` so far (Izmailov et al. 2018, arXiv:1803.05407)."""
    return (p if t == 1 else e + (p - e) / float(t)), {}


RULES: dict[str, Rule] = {
    "EMA": ema,
    "Mean": mean,
}
