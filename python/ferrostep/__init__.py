"""In-place optimizers for NumPy arrays, on a Rust core: the same bits everywhere."""

from ferrostep import _native, averages, clip, schedulers, tree
from ferrostep._native import StepInfo
from ferrostep.checkpoint import load_checkpoint, save_checkpoint
from ferrostep.config import show_config
from ferrostep.memmap import MemmapState
from ferrostep.optimizer import Optimizer
from ferrostep.optimizers import *  # noqa: F403
from ferrostep.optimizers import __all__ as _optimizers
from ferrostep.partial import LoadReport
from ferrostep.settings import NonFiniteError
from ferrostep.threads import get_num_threads, num_threads, set_num_threads

__version__ = _native.__version__

__all__ = [
    "LoadReport",
    "MemmapState",
    "NonFiniteError",
    "Optimizer",
    "StepInfo",
    "averages",
    "clip",
    "get_num_threads",
    "load_checkpoint",
    "num_threads",
    "save_checkpoint",
    "schedulers",
    "set_num_threads",
    "show_config",
    "tree",
    *_optimizers,
]
