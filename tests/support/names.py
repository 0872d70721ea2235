"""What libraries call their optimizers and schedules: ``vectors/names.json``.

``cd tests && ../.venv/bin/python -m support.names LIBRARY`` records those of one that is installed.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "vectors" / "names.json"


def _of_torch() -> list[str]:
    optim = import_module("torch.optim")
    swa = import_module("torch.optim.swa_utils")
    found = [n for n in optim.__all__ if not inspect.ismodule(getattr(optim, n))]
    return [*found, *optim.lr_scheduler.__all__, *swa.__all__]


def _of_optax() -> list[str]:
    """Return what its alias module makes, its contributions, schedules, and some wrappers."""
    optax = import_module("optax")
    alias = import_module("optax._src.alias")
    made = [n for n, x in vars(alias).items() if n[0] != "_" and _makes(x, alias.__name__)]
    contrib = [n for n, x in vars(optax.contrib).items() if _takes_a_rate(x) and "_by_" not in n]
    schedules = [n for n in vars(optax.schedules) if n.endswith("_schedule") and n[0] != "_"]
    return [*made, *contrib, *schedules, *WRAPPERS]


#: Of optax: they have no class or argument in common.
WRAPPERS = (
    *("MultiSteps", "add_noise", "apply_if_finite", "centralize", "ema", "exponential_decay"),
    *("freeze", "inject_hyperparams", "join_schedules", "lookahead", "masked", "partition"),
)


def _makes(value: Any, module: str) -> bool:
    """Whether it is a module's own function, or one with some arguments chosen."""
    return getattr(getattr(value, "func", value), "__module__", "") == module and callable(value)


def _takes_a_rate(value: Any) -> bool:
    return callable(value) and "learning_rate" in inspect.signature(value).parameters


def _of_keras() -> list[str]:
    optimizers = import_module("keras").optimizers
    found = [*vars(optimizers).items(), *vars(optimizers.schedules).items()]
    return [name for name, value in found if inspect.isclass(value)]


def _of_timm() -> list[str]:
    optim = import_module("timm.optim")
    return [n for n, x in vars(optim).items() if inspect.isclass(x) and not n.startswith("Optim")]


def _of_bitsandbytes() -> list[str]:
    optim = import_module("bitsandbytes.optim")
    return [n for n, x in vars(optim).items() if inspect.isclass(x) and "Manager" not in n]


NAMES: dict[str, Callable[[], list[str]]] = {
    "torch": _of_torch,
    "optax": _of_optax,
    "keras": _of_keras,
    "timm": _of_timm,
    "bitsandbytes": _of_bitsandbytes,
}


def installed(library: str) -> list[str]:
    """Return the public names of an installed library, each once."""
    return sorted(set(NAMES[library]()))


def main(library: str) -> None:
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[library] = {"version": version(library), "names": installed(library)}
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


RECORDED: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else {}

if __name__ == "__main__":
    main(sys.argv[1])
