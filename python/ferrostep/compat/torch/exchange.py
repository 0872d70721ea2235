"""To torch's optimizers and back: the same run goes on there, or here.

Equal are the formulas, not the last bits: torch's kernels fuse multiplications into additions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrostep import optimizers
from ferrostep.compat.library import library
from ferrostep.groups import SCHEDULED
from ferrostep.presets.row import Row
from ferrostep.presets.torch import ALIKE
from ferrostep.saved import check_layout, whole, wrappers_in

if TYPE_CHECKING:
    from ferrostep.optimizer import Optimizer

__all__ = ["load_state_dict", "to_torch"]

#: SparseAdam's options are also those of classes that torch lacks: nobody can tell which one it is.
_TOLD_APART = [row for row in ALIKE.values() if not row.cls.ROWS_ONLY]

#: torch counts steps in float32, which holds whole numbers up to here.
LAST_STEP = 2**24


def to_torch(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict of an optimizer as the `load_state_dict` of torch's class takes it.

    Arrays are copied into tensors. torch keeps state in the type of its parameter: our float32
    state of a float16 or bfloat16 parameter is rounded there. `skipped_steps` has no place there.

    Raises
    ------
    ValueError
        If the class or an option in use is not torch's, if a wrapper has state of its own, or if a
        step count is beyond torch's float32.
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> opt = fs.Adam([np.ones(3, np.float32)])
    >>> info = opt.step([np.ones(3, np.float32)])
    >>> from ferrostep.compat.torch import to_torch
    >>> torch_optimizer.load_state_dict(to_torch(opt.state_dict()))  # doctest: +SKIP
    """
    check_layout(state_dict)
    around = [own.get("class") for own in wrappers_in(state_dict)]
    if around:
        raise ValueError(
            f"the state dict has the wrappers {around!r}, wanted none, as torch has none; give the "
            "state dict of the `optimizer` in them"
        )
    groups = [_group(i, group) for i, group in enumerate(state_dict["param_groups"])]
    sgd = any("dampening" in group for group in groups)
    state = {
        key: _state(entry, f"parameter {key}", sgd) for key, entry in state_dict["state"].items()
    }
    if any("lr_decay" in group for group in groups):
        missing = {key for group in groups for key in group["params"]} - state.keys()
        if missing:
            raise ValueError(
                f"parameters {sorted(missing)} have no state, wanted state of all: torch's Adagrad "
                "has it from its construction on; step them, or leave them to a new optimizer"
            )
    return {"state": state, "param_groups": groups}


def load_state_dict(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Load a state dict of torch's optimizer: tensors on any device, bfloat16 too.

    `Optimizer.load_state_dict` takes what NumPy can read of itself, so all but these. What
    ``torch.save`` has written is read by ``torch.load``.

    Raises
    ------
    ValueError, TypeError
        If it does not fit; nothing has changed then.

    Examples
    --------
    >>> import numpy as np, ferrostep as fs
    >>> from ferrostep.compat.torch import load_state_dict
    >>> opt = fs.SGD([np.ones(3, np.float32)], momentum=0.9)
    >>> load_state_dict(opt, torch.load("optimizer.pt", weights_only=True))  # doctest: +SKIP
    """
    check_layout(state_dict)
    state = {
        key: {name: _array(value) for name, value in entry.items()}
        for key, entry in state_dict["state"].items()
    }
    groups = [
        {name: value.item() if _is_tensor(value) else value for name, value in group.items()}
        for group in state_dict["param_groups"]
    ]
    optimizer.load_state_dict({**state_dict, "state": state, "param_groups": groups})


def _group(i: int, group: Mapping[str, Any]) -> dict[str, Any]:
    rows = _rows(group)
    if not rows:
        classes = ", ".join(row.name for row in _TOLD_APART)
        raise ValueError(
            f"group {i} must be of a class that torch has ({classes}), "
            f"found the options {sorted(group)}"
        )
    title, defaults = " or ".join(row.name for row in rows), rows[0].cls().defaults
    taken = SCHEDULED | {"params", "param_names", "name", "maximize"}
    taken |= {name for row in rows for name in row.defaults}
    for name, value in group.items():
        if name not in taken and (name not in defaults or value != defaults[name]):
            remedy = (
                f"; its formula is that of {name}={defaults[name]!r}" if name in defaults else ""
            )
            raise ValueError(f"torch's {title} has no option {name!r}, found {value!r}{remedy}")
    return {name: value for name, value in group.items() if name in taken}


def _rows(group: Mapping[str, Any]) -> list[Row]:
    """Return torch's classes with these options: Adam and AdamW have the same."""
    classes = [getattr(optimizers, name) for name in optimizers.__all__]
    known = {name for cls in classes for name in cls._schema().checks} & group.keys()
    return [
        row
        for row in _TOLD_APART
        if row.defaults.keys() <= group.keys() and known == row.cls._schema().checks.keys()
    ]


def _state(entry: Mapping[str, Any], label: str, sgd: bool) -> dict[str, Any]:
    torch = library("torch")
    from ferrostep.compat.torch.memory import number_of, tensor_of

    made = {
        name: number_of(value) if isinstance(value, float) else tensor_of(_copy(value))
        for name, value in entry.items()
        if name != "step"
    }
    if sgd:  # torch does not count its steps
        return made
    step = whole(entry.get("step", 0), f"the step of {label} in torch's float32", LAST_STEP)
    return {"step": torch.tensor(float(step), dtype=torch.float32), **made}


def _copy(array: Any) -> Any:
    return np.array(array, order="C", dtype=array.dtype.newbyteorder("="))


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "dtype")


def _array(value: Any) -> Any:
    if not _is_tensor(value):
        return value
    library("torch")
    from ferrostep.compat.torch.memory import shown_by_numpy

    return shown_by_numpy(value.detach().cpu().contiguous())
