"""A whole optimizer, parameters included, as a dict that can be pickled or copied."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ferrostep.options import read_settings

if TYPE_CHECKING:
    from ferrostep.optimizer import Optimizer


def contents(optimizer: Optimizer) -> dict[str, Any]:
    sizes, arrays = optimizer._group_sizes(), optimizer._parameters()
    pending = optimizer._pending
    if any(array is None for array in arrays):
        # An unbound optimizer's last arrays are gone: the state waits for those that come.
        pending, arrays = copy.deepcopy(optimizer.state_dict()), []
    return {
        "defaults": optimizer.defaults,
        "nonfinite": optimizer.nonfinite,
        "backend": optimizer.backend,
        "state_factory": optimizer.state_factory,
        "bound": optimizer._bound,
        "names": optimizer._names,
        "groups": optimizer._groups,
        "sizes": sizes,
        "arrays": arrays,
        "states": [optimizer._state(i) for i in range(len(arrays))],
        "skipped_steps": optimizer.skipped_steps,
        "pending": pending,
    }


def restore(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Make an optimizer that was only allocated what `contents` has told of."""
    optimizer._defaults = saved["defaults"]
    settings = read_settings(saved["nonfinite"], saved["backend"], saved["state_factory"])
    optimizer._begin(settings, bound=saved["bound"])
    optimizer._pending = saved["pending"]
    if not optimizer._bound:
        optimizer._groups.extend(saved["groups"])
        if saved["arrays"]:
            optimizer._register(optimizer._groups[0], saved["names"], saved["arrays"])
    else:
        names, start = saved["names"], 0
        for group, size in zip(saved["groups"], saved["sizes"], strict=True):
            theirs = None if names is None else names[start : start + size]
            optimizer._register(group, theirs, group["params"])
            start += size
    alive = bool(optimizer._parameters())
    states = [dict(state) if state else {} for state in saved["states"] if alive]
    steps = [state.pop("step", None) for state in states]
    optimizer._load(steps, [state or None for state in states], saved["skipped_steps"])
