"""A schedule as a picture, before it is trained with."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ferrostep.schedulers.base import LRScheduler
from ferrostep.schedulers.checks import integer
from ferrostep.schedulers.reduce_lr_on_plateau import ReduceLROnPlateau

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(schedule: LRScheduler, steps: int, axes: Axes | None = None) -> Figure:
    """Draw the rates of the next steps, each group's that differs.

    A copy of the scheduler makes the steps, on a copy of the groups' options: neither it nor the
    optimizer changes.

    Parameters
    ----------
    schedule : LRScheduler
        The scheduler, at any epoch; no `ReduceLROnPlateau`, which needs a metric.
    steps : int >= 1
        How many steps are drawn, from the present rate on.
    axes : matplotlib.axes.Axes, optional
        Where to draw, for several schedules in one picture; if None, in a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure: ``plot(...).savefig("schedule.png")``; a notebook shows it.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        `schedule` is none that can be drawn, or `steps` is below 1.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> opt = fs.AdamW([np.zeros(3)], lr=1e-3)
    >>> schedule = fs.schedulers.WarmupCosineLR(opt, total_steps=1000, warmup_steps=50)
    >>> figure = fs.schedulers.plot(schedule, 1000)  # doctest: +SKIP
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot needs matplotlib; pip install 'ferrostep[demo]'") from error
    lines = _rates(schedule, integer("steps", steps, 1))
    if axes is None:
        axes = Figure(figsize=(7, 3.5), layout="constrained").subplots()
        axes.set(xlabel="step", ylabel="learning rate", title=type(schedule).__name__)
        axes.grid(alpha=0.3)
    begin = schedule.last_epoch
    for label, rates in lines.items():
        axes.plot(range(begin, begin + len(rates)), rates, label=label)
    if len(lines) > 1:
        axes.legend(frameon=False)
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


class _Options:
    """An optimizer's groups without what they are of."""

    def __init__(self, optimizer: Any) -> None:
        self.defaults = getattr(optimizer, "defaults", {})
        self.param_groups: list[dict[str, Any]] = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]


def _rates(schedule: Any, steps: int) -> dict[str, list[float]]:
    """Return the rates of the next steps: by the groups that they are of, where they differ."""
    if not isinstance(schedule, LRScheduler):
        raise TypeError(f"schedule must be a scheduler, found {type(schedule).__name__}")
    if isinstance(schedule, ReduceLROnPlateau):
        raise ValueError(
            "schedule must be one that follows from the steps alone, found a ReduceLROnPlateau"
        )
    optimizer = schedule.optimizer
    options = _Options(optimizer)
    stands_for = {id(optimizer): options}
    for group, its in zip(optimizer.param_groups, options.param_groups, strict=True):
        stands_for[id(group)] = its  # type: ignore[assignment]
    copied: LRScheduler = copy.deepcopy(schedule, stands_for)
    seen = [[float(group["lr"]) for group in options.param_groups]]
    for _ in range(steps - 1):
        copied.step()
        seen.append([group["lr"] for group in options.param_groups])
    found: dict[tuple[float, ...], list[str]] = {}
    for i, rates in enumerate(zip(*seen, strict=True)):
        found.setdefault(rates, []).append(str(options.param_groups[i].get("name", i)))
    if len(found) == 1:
        return {type(schedule).__name__: list(rates) for rates in found}
    return {f"group {', '.join(names)}": list(rates) for rates, names in found.items()}
