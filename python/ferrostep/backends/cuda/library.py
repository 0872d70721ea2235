"""CuPy itself, imported when it is first needed."""

from __future__ import annotations

from types import ModuleType


def cupy() -> ModuleType:
    """Return CuPy, or raise ImportError with the command that installs it."""
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            "arrays on a CUDA device need CuPy; pip install ferrostep[cuda12] "
            "(or ferrostep[cuda13] for CUDA 13)"
        ) from error
    return cupy  # type: ignore[no-any-return]
