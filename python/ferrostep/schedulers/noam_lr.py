"""NoamLR."""

from __future__ import annotations

from ferrostep.schedulers.checks import Optimizer, integer
from ferrostep.schedulers.factor import ByFactor


class NoamLR(ByFactor):
    """The rate of the first transformer: up in a straight line, then down with ``1 / sqrt(s)``.

    ``base_lr * d_model**-0.5 * min(s**-0.5, s * warmup_steps**-1.5)``, where ``s`` is the step
    counted from 1.  The optimizer's ``lr`` is a multiple here: 1.0 is the paper's.  Call
    ``step()`` after every batch.  Vaswani et al., arXiv:1706.03762.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    d_model : int >= 1
        The width of the model.
    warmup_steps : int >= 1, default 4000
        The step of the highest rate.

    Raises
    ------
    ValueError
        An argument is out of its bounds.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import NoamLR
    >>> opt = fs.Adam([np.zeros(3)], lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    >>> scheduler = NoamLR(opt, d_model=4, warmup_steps=2)
    >>> for batch in range(4):
    ...     print(f"{opt.param_groups[0]['lr']:.4f}")
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.1768
    0.3536
    0.2887
    0.2500
    """

    def __init__(
        self,
        optimizer: Optimizer,
        d_model: int,
        warmup_steps: int = 4000,
        last_epoch: int = -1,
    ) -> None:
        self.d_model, self.warmup_steps = d_model, warmup_steps
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.d_model = integer("d_model", self.d_model, 1)
        self.warmup_steps = integer("warmup_steps", self.warmup_steps, 1)

    def _factor(self, epoch: int) -> float:
        step = epoch + 1
        return float(self.d_model**-0.5 * min(step**-0.5, step * self.warmup_steps**-1.5))
