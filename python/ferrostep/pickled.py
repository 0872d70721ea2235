"""A whole optimizer, parameters included, as a dict that can be pickled or copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ferrostep.options import read_settings
from ferrostep.pending import pending_from

if TYPE_CHECKING:
    from ferrostep.optimizer import Optimizer


def _ours(optimizer: Optimizer, name: str) -> bool:
    """Whether an attribute is made anew, or wraps a method of this very optimizer.

    The others are a subclass's, or the user's.
    """
    return name in ("_groups", "_bound", "_defaults") or callable(
        getattr(type(optimizer), name, None)
    )


def contents(optimizer: Optimizer) -> dict[str, Any]:
    saved = {
        "defaults": optimizer.defaults,
        "nonfinite": optimizer.nonfinite,
        "backend": optimizer.backend,
        "state_factory": optimizer.state_factory,
        "bound": optimizer._bound,
        "groups": optimizer._groups,
        "attributes": {k: v for k, v in vars(optimizer).items() if not _ours(optimizer, k)},
    }
    if not optimizer._bound:
        # It holds no parameters: its state waits for those that come.
        return {**saved, "state_dict": optimizer.state_dict(copy=False)}
    return {
        **saved,
        "names": optimizer._names,
        "sizes": optimizer._group_sizes(),
        "containers": optimizer._containers(),
        "twice": (twice := np.empty(0), twice),
        "states": optimizer._states(False),
        "skipped_steps": optimizer.skipped_steps,
    }


def restore(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Make an optimizer that was only allocated what `contents` has told of."""
    vars(optimizer).update(saved["attributes"])
    optimizer._defaults = saved["defaults"]
    settings = read_settings(saved["nonfinite"], saved["backend"], saved["state_factory"])
    optimizer._begin(settings, bound=saved["bound"])
    if not optimizer._bound:
        optimizer._groups.extend(saved["groups"])
        optimizer._await(
            *pending_from(saved["state_dict"], type(optimizer), optimizer, optimizer._groups)
        )
        return
    names, start = saved["names"], 0
    for group, size in zip(saved["groups"], saved["sizes"], strict=True):
        theirs = None if names is None else names[start : start + size]
        optimizer._add_group(
            group, group["params"], theirs, restored=True
        )
        start += size
    optimizer._watch(saved["containers"])
    first, second = saved["twice"]
    if first is not second:
        # Some picklers (joblib's) make two arrays of one that is met twice: then the parameters are
        # not those that the model has, and the next step is to say so.
        optimizer._watch([(None, [], 0)])
    states = [dict(state) if state else {} for state in saved["states"]]
    steps = [state.pop("step", None) for state in states]
    optimizer._load(steps, [state or None for state in states], saved["skipped_steps"])
