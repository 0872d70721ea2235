"""In-place optimizers for NumPy arrays, on a Rust core: the same bits everywhere.

    opt = fs.Adam(params, lr=1e-3)    # an array, a list, a dict, trees of these, or groups
    opt.step(grads)                   # in the same structure; the arrays are updated in place
    opt = fs.Adam()                   # without parameters,
    opt.update(params, grads)         # which then come with each call
    opt.save(path); opt.load(path)    # a run in one file; save_checkpoint for more than one

`help(fs.Optimizer)` has the options that all classes share, `help(fs.Adam.step)` clipping and loss
scaling, and `fs.show_config()` prints what runs here. `fs.clip` clips gradients by functions,
`fs.tree` is for nested parameters, `fs.Rows` for tables of which a step uses few rows,
`fs.compat.torch` exchanges state with torch, `fs.presets` has other libraries' optimizers by their
names, and `fs.typing` has types for annotations.
"""

import sys
from typing import TYPE_CHECKING

from ferrostep import _native, clip, tree
from ferrostep._native import Rows, StepInfo
from ferrostep.config import show_config
from ferrostep.later import later
from ferrostep.optimizer import Optimizer
from ferrostep.optimizers import *  # noqa: F403
from ferrostep.optimizers import __all__ as _optimizers
from ferrostep.overview import Package
from ferrostep.partial import LoadReport
from ferrostep.settings import NonFiniteError
from ferrostep.threads import get_num_threads, num_threads, set_num_threads

__version__ = _native.__version__

__all__ = [
    "LRCurve",
    "Accumulator",
    "LoadReport",
    "Lookahead",
    "MemmapState",
    "NonFiniteError",
    "Optimizer",
    "Rows",
    "StepInfo",
    "averages",
    "clip",
    "compat",
    "find_lr",
    "get_num_threads",
    "load_checkpoint",
    "num_threads",
    "presets",
    "save_checkpoint",
    "schedulers",
    "set_num_threads",
    "show_config",
    "tree",
    *_optimizers,
]

sys.modules[__name__].__class__ = Package

if TYPE_CHECKING:
    from ferrostep import averages, compat, presets, schedulers
    from ferrostep import typing as typing
    from ferrostep.checkpoint import load_checkpoint, save_checkpoint
    from ferrostep.memmap import MemmapState
    from ferrostep.range_test import LRCurve, find_lr
    from ferrostep.wrappers import Accumulator, Lookahead
else:

    def _hint(name):
        from ferrostep.elsewhere import hint  # for errors alone

        return hint(name)

    __getattr__ = later(
        __name__,
        *("averages", "compat", "presets", "schedulers", "typing"),
        hint=_hint,
        load_checkpoint="checkpoint",
        save_checkpoint="checkpoint",
        MemmapState="memmap",
        LRCurve="range_test",
        find_lr="range_test",
        Accumulator="wrappers",
        Lookahead="wrappers",
    )


def __dir__() -> list[str]:
    """Return the public names; `typing` is no part of `import *`, which would hide Python's own."""
    return [*__all__, "__version__", "typing"]
