"""The exponential moving average."""

from __future__ import annotations

from typing import Any

from ferrostep.averages import rules
from ferrostep.averages.base import Average
from ferrostep.options import StateDtype


class EMA(Average):
    """An exponential moving average of the parameters.

    With the average ``e`` and the parameter ``p`` at update ``t``, counted from 1::

        e = p                           (t = 1, to the bit)
        e = e + (1 - decay)*(p - e)     (decay > 0.5)
        e = p - (p - e)*decay           (decay <= 0.5)

    as torch's ``lerp`` has it, each operation rounded once. torch's CPU kernels fuse the
    multiplication into the addition: one update differs by one unit in the last place of the
    largest of ``|e|``, ``|p|`` and ``|p - e|`` at most.

    Parameters
    ----------
    params
        The parameters to average, in any structure that an optimizer takes, or its `param_groups`:
        see `Optimizer`. They are only read, but by `applied`.
    decay
        How much of the average stays; default 0.999, in [0, 1]. A property, which may be set
        between updates.
    warmup
        Default False; True: the decay is at most ``(1 + t)/(10 + t)``, so that the first parameters
        are soon forgotten.
    dtype
        Default None: averages are float64 for float64 parameters, else float32, since in 16 bits
        an average stands still where a step is less than half its last bit. Or "float16",
        "bfloat16", "float32", "float64": torch and timm have that of the parameter.

    Raises
    ------
    ValueError, TypeError
        If an option is out of its bounds, or a parameter is no writable floating-point array.

    References
    ----------
    torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn; warmup:
    tf.train.ExponentialMovingAverage with num_updates, and thinc, whose averages start at 0.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> params = {"w": np.array([1.0])}
    >>> opt = fs.SGD(params, lr=1.0)
    >>> ema = fs.averages.EMA(params, decay=0.75)
    >>> for _ in range(3):
    ...     info = opt.step({"w": np.array([-4.0])})
    ...     ema.update()
    >>> params["w"], ema.averages["w"]
    (array([13.]), array([7.75]))
    >>> with ema.applied():
    ...     print(params["w"])
    [7.75]
    >>> params["w"]
    array([13.])
    """

    _RULE = rules.EMA
    _OPTIONS = ("decay", "warmup")
    _rule: rules.EMA

    def __init__(
        self,
        params: Any,
        decay: float = 0.999,
        warmup: bool = False,
        *,
        dtype: StateDtype = None,
    ) -> None:
        super().__init__(params, dtype, decay=decay, warmup=warmup)

    @property
    def decay(self) -> float:
        """How much of the average stays; may be set between updates, as a schedule does."""
        return self._rule.decay

    @decay.setter
    def decay(self, value: float) -> None:
        self._rule.decay = value

    @property
    def warmup(self) -> bool:
        """Whether the decay grows to its value."""
        return self._rule.warmup
