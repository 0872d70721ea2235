"""LambdaLR."""

from __future__ import annotations

from ferrostep.schedulers.functions import PerGroup


class LambdaLR(PerGroup):
    """Multiplies the initial rate by a function of the epoch: ``lr = base_lr * lr_lambda(epoch)``.

    Parameters
    ----------
    optimizer, last_epoch
        See `LRScheduler`.
    lr_lambda : callable, or list of callables
        Maps the epoch (an int) to a finite number; a list has one for each group.  `state_dict`
        holds the ``__dict__`` of a callable object, but nothing of a plain function.

    Raises
    ------
    TypeError
        Something in ``lr_lambda`` cannot be called.
    ValueError
        The list has the wrong length, or a call gave no finite number.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.schedulers import LambdaLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.1)
    >>> scheduler = LambdaLR(opt, lambda epoch: 0.5**epoch)
    >>> info = opt.step([np.ones(3)])
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    def get_lr(self) -> list[float]:
        return [base * f for base, f in zip(self.base_lrs, self._factors(), strict=True)]
