"""How many threads a large step uses. The results do not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ferrostep import _native


def _checked(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"the number of threads must be an int, found {n!r}")
    if n < 1:
        raise ValueError(f"the number of threads must be at least 1, found {n}")
    return n


def set_num_threads(n: int) -> None:
    """Set the number of threads for the whole process.

    Small steps run on the calling thread alone. On Linux the others keep to the affinity of the
    calling thread (a change is seen within a millisecond; of several threads that step at once, the
    last to begin decides), and off the processor that it is on unless that is its only one. All
    optimizers share one pool of threads; when it is too small, a larger one takes its place.

    Raises
    ------
    TypeError, ValueError
        If `n` is no int, or below 1.
    """
    _native.set_num_threads(_checked(n))


def get_num_threads() -> int:
    """Return the number of threads that a large step of the calling thread uses.

    The default is ``FERROSTEP_NUM_THREADS``; without it, what CPU affinity and cgroup limits leave,
    but at most ``OMP_NUM_THREADS`` (the first number of a list), which joblib, Dask and Slurm set
    for their workers. Both variables are read at import.
    """
    return _native.num_threads()


@contextmanager
def num_threads(n: int) -> Iterator[None]:
    """Use `n` threads for the steps of the calling thread, within a ``with`` block.

    Examples
    --------
    >>> import ferrostep as fs
    >>> with fs.num_threads(3):
    ...     fs.get_num_threads()
    3
    """
    before = _native.set_local_num_threads(_checked(n))
    try:
        yield
    finally:
        _native.set_local_num_threads(before)
