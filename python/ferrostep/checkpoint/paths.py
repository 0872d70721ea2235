"""What may be the path of a checkpoint."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

Path = str | os.PathLike[str]


def read_path(path: Path) -> str:
    """Return a path as a str; the number of an open file is none, since it is not ours to close."""
    try:
        name = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str or an os.PathLike, found {path!r}") from None
    if "\0" in name:
        raise ValueError(f"path must not hold a null character, found {name!r}")
    return name


def open_regular(path: str) -> FileIO:
    """Open what can be a checkpoint: a folder cannot, and a pipe would wait for ever."""
    _check_regular(os.stat(path), path)  # to open a device can be an action of its own
    file = FileIO(path, opener=_open_without_waiting)
    try:
        _check_regular(os.fstat(file.fileno()), path)  # it may have changed in between
    except BaseException:
        file.close()
        raise
    return file


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _check_regular(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device, pipe or socket"
        raise ValueError(f"{path!r} is {kind}, wanted a regular file")


@contextmanager
def named_as(path: str) -> Iterator[None]:
    """Let an operating system's error name the path as it was given, not a temporary file's."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == path:
            raise
        raise OSError(error.errno, error.strerror, path) from error
