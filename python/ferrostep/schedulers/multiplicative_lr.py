"""MultiplicativeLR."""

from __future__ import annotations

from ferrostep.schedulers.functions import PerGroup


class MultiplicativeLR(PerGroup):
    """Multiplies the present rate by a function of the epoch: ``lr = lr * lr_lambda(epoch)``.

    The function is not called at epoch 0.  There is no closed form: ``step(epoch)`` multiplies
    the present rate too, once.

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
    >>> from ferrostep.schedulers import MultiplicativeLR
    >>> opt = fs.SGD([np.zeros(3)], lr=0.8)
    >>> scheduler = MultiplicativeLR(opt, lambda epoch: 0.5 if epoch % 2 else 1.0)
    >>> for epoch in range(4):
    ...     print(opt.param_groups[0]["lr"])
    ...     info = opt.step([np.ones(3)])
    ...     scheduler.step()
    0.8
    0.4
    0.4
    0.2
    """

    def _first_lr(self) -> list[float]:
        return self._scaled(1.0)

    def get_lr(self) -> list[float]:
        groups = self.optimizer.param_groups
        return [g["lr"] * f for g, f in zip(groups, self._factors(), strict=True)]
