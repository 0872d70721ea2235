"""The mean of parameters: stochastic weight averaging."""

from __future__ import annotations

from typing import Any

from ferrostep.averages import rules
from ferrostep.averages.base import Average
from ferrostep.options import StateDtype


class Mean(Average):
    """The mean of the parameters at all updates: stochastic weight averaging (SWA).

    With the average ``e`` and the parameter ``p`` at update ``t``, counted from 1::

        e = p                   (t = 1, to the bit)
        e = e + (p - e)/t

    In float32 and float64 these are the bits of torch's AveragedModel on a CPU.

    Parameters
    ----------
    params
        The parameters to average, in any structure that an optimizer takes, or its `param_groups`:
        see `Optimizer`. They are only read, but by `applied`.
    dtype
        Default None: averages are float64 for float64 parameters, else float32. Or "float16",
        "bfloat16", "float32", "float64": torch has that of the parameter.

    Raises
    ------
    ValueError, TypeError
        If a parameter is no writable floating-point array.

    References
    ----------
    Izmailov, Podoprikhin, Garipov, Vetrov & Wilson 2018, arXiv:1803.05407;
    torch.optim.swa_utils.AveragedModel.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> p = np.array([1.0, 5.0])
    >>> mean = fs.averages.Mean(p)
    >>> for _ in range(3):
    ...     mean.update()
    ...     p += 1
    >>> mean.averages[0]
    array([2., 6.])
    """

    _RULE = rules.Mean

    def __init__(self, params: Any, *, dtype: StateDtype = None) -> None:
        super().__init__(params, dtype)
