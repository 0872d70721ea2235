"""What an import of the package takes, and what it can do without."""

from __future__ import annotations

from importlib.metadata import version

import ferrostep as fs
from ferrostep import _native
from support.programs import output


def test_one_version() -> None:
    assert fs.__version__ == _native.__version__ == version("ferrostep")


def test_without_the_metadata_of_an_installation() -> None:
    """In a frozen program, an unpacked wheel or a source tree on the path."""
    program = """
import importlib.metadata, os, tempfile
def none(name):
    raise importlib.metadata.PackageNotFoundError(name)
importlib.metadata.Distribution.from_name = none
import numpy as np, ferrostep as fs
path = os.path.join(tempfile.mkdtemp(), "run")
fs.Adam([np.ones(3)]).save(path)
fs.Adam([np.ones(3)]).load(path)
print(fs.__version__ in open(path, "rb").read().decode(errors="replace"))
fs.show_config()
"""
    found = output(program)
    assert found[0] == "True"
    assert found[1].split() == ["ferrostep", fs.__version__]


def test_what_is_not_imported_along() -> None:
    program = """
import numpy
before = set(sys.modules)
import ferrostep
heavy = {"cupy", "ml_dtypes", "numpy.ma", "safetensors", "torch"}
# For errors, files, logs and schedules: their first use imports them.
later = {"difflib", "importlib.metadata", "json", "logging", "mmap", "pathlib", "tempfile"}
ours = "averages", "backends.reference", "checkpoint", "compat", "memmap", "presets", "schedulers"
later |= {f"ferrostep.{name}" for name in ours}
print(sorted((heavy | later) & (set(sys.modules) - before)))
fs = ferrostep
opt = fs.SGD([numpy.ones(2)])
fs.schedulers.StepLR(opt, 1), fs.compat.torch, fs.typing.Params, fs.MemmapState, fs.save_checkpoint
from ferrostep import *
print({"ferrostep.schedulers", "ferrostep.memmap", "ferrostep.compat.torch"} <= set(sys.modules))
"""
    assert output(program) == ["[]", "True"]
